//! What keeps a shared place from being used.

use orchestrator_core::BoxError;
use orchestrator_core::id::RunId;

/// What keeps a shared place from being used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SharedError {
    /// The setting is no address.
    #[error("`shared.url` cannot be used: {why}")]
    Address {
        /// Why. The address is not repeated: it may hold a credential.
        why: String,
    },
    /// The program was built without it.
    #[cfg(not(feature = "shared"))]
    #[error(
        "`{address}` needs the feature `shared`, and this program was built without it; build with \
         `--features shared`, or share a folder: `file:///PATH`"
    )]
    Feature {
        /// The address.
        address: String,
    },
    /// It did not answer, or said no.
    #[error("the shared place `{address}` cannot be used")]
    Away {
        /// The address.
        address: String,
        /// What it said.
        source: BoxError,
    },
    /// Another machine goes on with the run.
    #[error(
        "run `{run}` is being carried out elsewhere: {holder}; where that is over for sure, say `--take-over`"
    )]
    Held {
        /// Which run.
        run: RunId,
        /// Who, since when.
        holder: String,
    },
    /// Another machine went on with the run meanwhile.
    #[error("run `{0}` was taken over by another machine; what was done here since then is not shared")]
    Lost(RunId),
    /// The run went on in two places.
    #[error(
        "run `{run}` went on here and elsewhere: its journal here and the one in `{address}` do not continue each other; \
         neither was changed. Start anew with `orchestrate run`, or remove the folder of the run that is wrong"
    )]
    Diverged {
        /// Which run.
        run: RunId,
        /// Where the other one is.
        address: String,
    },
    /// What is shared of a run is damaged.
    #[error("run `{run}` in `{address}` is damaged and is not used: {what}")]
    Damaged {
        /// Which run.
        run: RunId,
        /// Where.
        address: String,
        /// What is wrong.
        what: String,
    },
    /// A file here could not be read or written.
    #[error("{what}")]
    Io {
        /// What it tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// It may not be written to.
    #[error(
        "run `{run}` lies in `{address}`, and `shared.write` is off: to go on with it there must be a lease"
    )]
    ReadOnly {
        /// Which run.
        run: RunId,
        /// Where.
        address: String,
    },
}
