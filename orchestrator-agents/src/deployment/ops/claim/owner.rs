//! Who claims.

use std::ffi::OsString;

use orchestrator_core::operation::Site;

/// The variable by which a host is told who deploys to it.
pub(in crate::deployment::ops) const OWNER: &str = "ORCHESTRATE_OWNER";

/// `user@host`, as far as it is known; on a host that is deployed to, whoever does that.
pub(in crate::deployment::ops) fn owner(site: &Site<'_>) -> String {
    owner_in(site.env)
}

/// The same by an environment alone.
pub(in crate::deployment::ops) fn owner_in(env: &[(OsString, OsString)]) -> String {
    let variable = |wanted: &str| {
        let value = env.iter().find(|(name, _)| name == wanted)?.1.to_str()?;
        Some(value.to_owned()).filter(|value| !value.is_empty())
    };
    let told = variable(OWNER).map(|owner| owner.chars().filter(|c| !c.is_control()).take(200).collect());
    if let Some(owner) = told {
        return owner;
    }
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    let plain: String = user.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("{plain}@{}", rustix::system::uname().nodename().to_string_lossy())
}
