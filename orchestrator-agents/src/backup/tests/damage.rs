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

#[tokio::test]
async fn a_flip_at_random_is_found_or_does_no_harm() {
    let rig = Rig::new();
    fill(&rig);
    rig.commit("chore: fill");
    let made = backup(&rig).await.unwrap();
    script(&rig, &made).await.unwrap();
    let verified = verify(&rig, &made).await.unwrap();
    let folder = made.snapshot.under(&rig.root);
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 6, "{names:?}");
    let rounds = if std::env::var_os("ORCHESTRATE_LONG").is_some() { 400 } else { 8 };
    let mut seed = 7_u64;
    for name in names.iter().cycle().take(rounds * names.len()) {
        if name == "verification.json" {
            verify(&rig, &made).await.unwrap();
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let file = folder.join(name);
        let mut damaged = fs::read(&file).unwrap();
        let bytes = damaged.clone();
        let at = (seed >> 33) as usize % bytes.len();
        damaged[at] ^= 1 << (seed >> 20 & 7);
        fs::write(&file, damaged).unwrap();
        let said = verify(&rig, &made).await;
        if name == "verification.json" {
            // It says nothing that counts: verifying says it anew.
            assert_eq!(said.unwrap().manifest, verified.manifest);
            let now: Verification = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            assert_eq!(
                (now.manifest, now.files, now.refs),
                (verified.manifest, verified.files, verified.refs)
            );
        } else {
            let error = said.unwrap_err().to_string();
            assert!(error.contains(name.as_str()), "{name} at {at}: {error}");
            fs::write(&file, bytes).unwrap();
        }
    }
    verify(&rig, &made).await.unwrap();
}
