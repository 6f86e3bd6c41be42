//! What the configs of all tools have in common.

use std::collections::BTreeMap;

use orchestrator_core::action::EnvValue;
use orchestrator_core::path::RelPath;

/// The settings that every tool takes.
#[derive(Debug, Clone, Copy)]
pub struct Common<'a> {
    /// Where to run it, relative to the root.
    pub cwd: &'a RelPath,
    /// Further arguments.
    pub args: &'a [String],
    /// Environment variables besides the allow-list.
    pub env: &'a BTreeMap<String, EnvValue>,
}

impl<'a, C> From<&'a C> for Common<'a>
where
    C: AsCommon,
{
    fn from(config: &'a C) -> Self {
        config.common()
    }
}

/// A config that holds what every tool takes.
pub trait AsCommon {
    /// What every tool takes.
    fn common(&self) -> Common<'_>;
}

/// Declares the config of a tool: its own fields with their defaults, and those that all tools have.
/// A macro and not `#[serde(flatten)]`: that one cannot name unknown fields.
macro_rules! tool_config {
    (
        $(#[$doc:meta])*
        $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)* }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
            /// Where to run it, relative to the root.
            #[serde(skip_serializing_if = "orchestrator_core::path::RelPath::is_root")]
            pub cwd: orchestrator_core::path::RelPath,
            /// Further arguments.
            #[serde(skip_serializing_if = "Vec::is_empty")]
            pub args: Vec<String>,
            /// Environment variables besides the allow-list; `{secret: NAME}` for a secret.
            #[serde(skip_serializing_if = "std::collections::BTreeMap::is_empty")]
            pub env: std::collections::BTreeMap<String, orchestrator_core::action::EnvValue>,
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)*
                    cwd: orchestrator_core::path::RelPath::root(),
                    args: Vec::new(),
                    env: std::collections::BTreeMap::new(),
                }
            }
        }

        impl $crate::validation::config::AsCommon for $name {
            fn common(&self) -> $crate::validation::config::Common<'_> {
                let Self { cwd, args, env, .. } = self;
                $crate::validation::config::Common { cwd, args, env }
            }
        }
    };
}
pub(crate) use tool_config;
