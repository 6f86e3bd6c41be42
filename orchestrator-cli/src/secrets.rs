//! Secrets from the environment.

use orchestrator_core::operation::SecretSource;

/// Secrets from the environment: secret `NAME` is the variable `ORCHESTRATE_SECRET_NAME`, or else the variable `NAME`.
/// Read when an order needs it, never before.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnvSecrets;

impl SecretSource for EnvSecrets {
    fn secret(&self, name: &str) -> Option<String> {
        find(name, |variable| std::env::var(variable).ok())
    }
}

fn find(name: &str, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    // The environment panics over such names.
    if name.is_empty() || name.contains(['=', '\0']) {
        return None;
    }
    variable(&format!("ORCHESTRATE_SECRET_{name}")).or_else(|| variable(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefixed_variable_comes_first() {
        let both = |variable: &str| match variable {
            "ORCHESTRATE_SECRET_A" => Some("1".to_owned()),
            "A" | "B" => Some("2".to_owned()),
            _ => None,
        };
        assert_eq!(find("A", both).as_deref(), Some("1"));
        assert_eq!(find("B", both).as_deref(), Some("2"));
        assert_eq!(find("C", both), None);
        assert_eq!(find("A=", both), None);
    }
}
