//! How restic seals a file (its design document, "Keys, Encryption and MAC"): a nonce of 16 bytes, AES-256-CTR, and a
//! Poly1305-AES tag of 16 bytes. The library seals what it writes itself; this is for locks, which it does not know.

use std::fs::File;
use std::io::{self, Read};

use aes256ctr_poly1305aes::aead::AeadInPlace;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce, Tag};
use rustic_core::repofile::MasterKey;

const NONCE: usize = 16;
const TAG: usize = 16;

/// Seals and opens with the key of a repository.
pub(super) struct Crypt(Aes256CtrPoly1305Aes);

impl Crypt {
    /// None where the key is not of the size that the format has.
    pub(super) fn new(key: &MasterKey) -> Option<Self> {
        let bytes = [key.encrypt.as_slice(), &key.mac.k, &key.mac.r].concat();
        let sized = key.encrypt.len() == 32 && key.mac.k.len() == 16 && key.mac.r.len() == 16;
        sized.then(|| Self(Aes256CtrPoly1305Aes::new(Key::from_slice(&bytes))))
    }

    pub(super) fn seal(&self, text: &[u8]) -> io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        File::open("/dev/urandom")?.read_exact(&mut nonce)?;
        let mut sealed = [nonce.as_slice(), text].concat();
        let tag = self.0.encrypt_in_place_detached(Nonce::from_slice(&nonce), &[], &mut sealed[NONCE..]);
        sealed.extend_from_slice(&tag.map_err(|error| io::Error::other(error.to_string()))?);
        Ok(sealed)
    }

    /// None where it was not sealed with this key, or was changed since.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, rest) = sealed.split_at_checked(NONCE)?;
        let (text, tag) = rest.split_at_checked(rest.len().checked_sub(TAG)?)?;
        let mut text = text.to_vec();
        let tag = Tag::from_slice(tag);
        self.0.decrypt_in_place_detached(Nonce::from_slice(nonce), &[], &mut text, tag).ok()?;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_and_what_was_changed_does_not() {
        let crypt = Crypt::new(&MasterKey::new()).unwrap();
        for text in [b"".as_slice(), b"{}", &[7; 1000]] {
            let sealed = crypt.seal(text).unwrap();
            assert_eq!(crypt.open(&sealed).as_deref(), Some(text));
            for at in [0, 15, 16, sealed.len() - 1] {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1;
                assert_eq!(crypt.open(&flipped), None, "at {at}");
            }
            assert_eq!(crypt.open(&sealed[..sealed.len() - 1]), None);
        }
        assert_eq!(crypt.open(&[0; 31]), None);
        let other = Crypt::new(&MasterKey::new()).unwrap();
        assert_eq!(other.open(&crypt.seal(b"x").unwrap()), None);
    }
}
