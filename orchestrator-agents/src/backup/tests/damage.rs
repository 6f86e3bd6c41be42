use std::fs;

use super::*;

/// Flips a byte of a file, and gives what was there.
fn flip(file: &std::path::Path, at: usize) -> Vec<u8> {
    let bytes = fs::read(file).unwrap();
    let mut flipped = bytes.clone();
    flipped[at] ^= 1;
    fs::write(file, flipped).unwrap();
    bytes
}

#[tokio::test]
async fn a_flipped_byte_is_found_wherever_it_is() {
    let rig = Rig::new();
    rig.write("a.txt", "some text\n");
    rig.commit("feat: a");
    let made = backup(&rig).await.unwrap();
    script(&rig, &made).await.unwrap();
    let folder = made.snapshot.under(&rig.root);
    for name in ["tree.tar.zst", "refs.bundle", "manifest.json", "manifest.b3", "rollback.sh"] {
        let file = folder.join(name);
        let length = fs::metadata(&file).unwrap().len() as usize;
        for at in [0, 5, length / 3, length / 2, length - 1] {
            let bytes = flip(&file, at);
            let error = verify(&rig, &made).await.unwrap_err().to_string();
            assert!(error.contains(name), "{name} at {at}: {error}");
            fs::write(&file, bytes).unwrap();
        }
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        verify(&rig, &made).await.unwrap_err();
        fs::write(&file, bytes).unwrap();
    }
    verify(&rig, &made).await.unwrap();
    fs::remove_file(folder.join("refs.bundle")).unwrap();
    let error = verify(&rig, &made).await.unwrap_err().to_string();
    assert!(error.contains("refs.bundle"), "{error}");
}

#[tokio::test]
async fn a_manifest_that_lies_is_found() {
    let rig = Rig::new();
    fill(&rig);
    let made = backup(&rig).await.unwrap();
    let folder = made.snapshot.under(&rig.root);
    let text = rig.read(&format!("{}/manifest.json", made.snapshot));
    let forged = text.replacen("\"path\":\"run.sh\",\"mode\":493", "\"path\":\"run.sh\",\"mode\":420", 1);
    assert_ne!(text, forged);
    fs::write(folder.join("manifest.json"), &forged).unwrap();
    let digest = orchestrator_core::path::Digest::of(forged.as_bytes());
    fs::write(folder.join("manifest.b3"), format!("{digest}\n")).unwrap();
    let error = verify(&rig, &made).await.unwrap_err().to_string();
    assert!(error.contains("manifest.json"), "the digest of the run counts: {error}");
    let input = VerifyInput { snapshot: made.snapshot, manifest: None };
    let error = rig.call(VerifySnapshot, input).await.unwrap_err().to_string();
    assert!(error.contains("`run.sh`: mode 755 instead of 644"), "{error}");
}

/// So many flips of each file that counts, of a shorter one each byte; a quarter of what was said. The long form has some 4,300 in all.
fn flips() -> usize {
    if std::env::var_os("ORCHESTRATE_LONG").is_some() { 1000 } else { 8 }
}

/// A place in each of so many equal stretches of a file, and a bit there: spread over all of it, at random within a stretch.
fn spread(length: usize, flips: usize, seed: &mut u64) -> Vec<(usize, u8)> {
    let flips = flips.min(length);
    let places = (0..flips).map(|at| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (from, to) = (length * at / flips, length * (at + 1) / flips);
        (from + (*seed >> 33) as usize % (to - from), 1 << (*seed >> 20 & 7))
    });
    places.collect()
}

/// Each flip of a file that counts is named before anything is restored, so that it costs little.
#[tokio::test]
async fn a_flip_at_random_is_found() {
    let rig = Rig::new();
    fill(&rig);
    rig.commit("chore: fill");
    let made = backup(&rig).await.unwrap();
    script(&rig, &made).await.unwrap();
    verify(&rig, &made).await.unwrap();
    let folder = made.snapshot.under(&rig.root);
    let names = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| name != "verification.json").collect();
    names.sort();
    assert_eq!(names.len(), 5, "{names:?}");
    let (mut seed, mut all) = (7_u64, 0);
    for name in &names {
        let file = folder.join(name);
        let bytes = fs::read(&file).unwrap();
        for (at, bit) in spread(bytes.len(), flips(), &mut seed) {
            let mut damaged = bytes.clone();
            damaged[at] ^= bit;
            fs::write(&file, damaged).unwrap();
            let error = verify(&rig, &made).await.unwrap_err().to_string();
            assert!(error.contains(name.as_str()), "{name} at {at}: {error}");
            all += 1;
        }
        fs::write(&file, bytes).unwrap();
    }
    assert!(all >= 8 * names.len(), "{all} flips");
    verify(&rig, &made).await.unwrap();
}

/// What says that a snapshot was verified counts for nothing when it is verified: that says it anew. Each costs a whole restore.
#[tokio::test]
async fn a_flip_of_what_was_said_does_no_harm() {
    let rig = Rig::new();
    fill(&rig);
    rig.commit("chore: fill");
    let made = backup(&rig).await.unwrap();
    let verified = verify(&rig, &made).await.unwrap();
    let file = made.snapshot.under(&rig.root).join("verification.json");
    let (length, mut seed) = (fs::metadata(&file).unwrap().len() as usize, 7);
    for (at, bit) in spread(length, flips() / 4, &mut seed) {
        let mut damaged = fs::read(&file).unwrap();
        let at = at % damaged.len();
        damaged[at] ^= bit;
        fs::write(&file, damaged).unwrap();
        assert_eq!(verify(&rig, &made).await.unwrap().manifest, verified.manifest, "at {at}");
        let now: Verification = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        assert_eq!((&now.manifest, now.files, now.refs), (&verified.manifest, verified.files, verified.refs));
    }
}
