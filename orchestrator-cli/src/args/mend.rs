//! Arguments that say what happens when a check knows a remedy.

use clap::Args;
use orchestrator_core::settings::Remedies;

/// What happens when a check knows a remedy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
pub(crate) struct Mend {
    /// Mend nothing: what a remedy is known for fails, and says what would help
    #[arg(long, conflicts_with = "interactive")]
    pub(crate) no_remediate: bool,
    /// Ask before anything is mended
    #[arg(long)]
    pub(crate) interactive: bool,
}

impl Mend {
    /// The setting that the flags set.
    pub(crate) fn remedies(self) -> Option<Remedies> {
        match (self.no_remediate, self.interactive) {
            (true, _) => Some(Remedies::Off),
            (false, true) => Some(Remedies::Ask),
            (false, false) => None,
        }
    }
}
