//! `gone.json`: hosts that were forgotten, and what was known of them.

use super::{Place, json, read, write};
use crate::deployment::gone::GoneHost;
use crate::deployment::hosts::{Host, HostRecord};
use crate::deployment::ops::error::DeployError;

impl Place {
    /// Every host that was forgotten, oldest first.
    pub(in crate::deployment::ops) fn gone(&self) -> Result<Vec<GoneHost>, DeployError> {
        Ok(read(&self.folder().join("gone.json"))?.unwrap_or_default())
    }

    fn set_gone(&self, all: &[GoneHost]) -> Result<(), DeployError> {
        let from = all.len().saturating_sub(GoneHost::MOST);
        write(&self.folder().join("gone.json"), &json(&&all[from..]))
    }

    /// What is known of a host: as one that the environment is on, else as one that was forgotten.
    pub(in crate::deployment::ops) fn known(&self, host: &Host) -> Result<Option<HostRecord>, DeployError> {
        if let Some(record) = self.host(host)? {
            return Ok(Some(record));
        }
        Ok(self.gone()?.into_iter().rev().find(|gone| gone.is_open_at(host)).map(|gone| gone.record))
    }

    /// Takes a host off the list, and remembers it; one that was taken off before is not mentioned any more. Cut off in between, and asked
    /// again, it does the rest. The lock is held.
    pub(in crate::deployment::ops) fn forget(&self, gone: GoneHost) -> Result<(), DeployError> {
        let host = gone.record.host.clone();
        let (off, stay): (Vec<_>, Vec<_>) =
            self.hosts()?.into_iter().partition(|record| record.host.is_at(&host));
        if off.is_empty() {
            return self.seen_to(std::slice::from_ref(&host));
        }
        let mut all = self.gone()?;
        // What was begun before a crash, or came back and went once more.
        all.retain(|known| !known.is_open_at(&host));
        all.push(gone);
        self.set_gone(&all)?;
        if stay.is_empty() { self.forget_host() } else { self.set_hosts(stay) }
    }

    /// Somebody saw to what ran on these hosts.
    pub(in crate::deployment::ops) fn seen_to(&self, hosts: &[Host]) -> Result<(), DeployError> {
        let mut all = self.gone()?;
        let open = |gone: &&mut GoneHost| hosts.iter().any(|host| gone.is_open_at(host));
        let mut any = false;
        for gone in all.iter_mut().filter(open) {
            (gone.over, any) = (true, true);
        }
        if any { self.set_gone(&all) } else { Ok(()) }
    }
}
