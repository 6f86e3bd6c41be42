use std::fs;

use super::*;

#[tokio::test]
async fn signals_come_in_order_and_stay_until_seen() {
    let folder = Folder::with(1).await;
    let (sender, store) = (folder.store(), folder.store());
    assert!(store.inbox(&folder.run).await.unwrap().is_empty());
    let sent: Vec<Signal> = (0..20).map(|n| signal("s", &n.to_string())).collect();
    for signal in &sent {
        sender.signal(&folder.run, signal).await.unwrap();
    }
    let (tokens, got): (Vec<_>, Vec<_>) = store.inbox(&folder.run).await.unwrap().into_iter().unzip();
    assert_eq!(got, sent);
    for token in &tokens[..19] {
        store.seen(&folder.run, token).await.unwrap();
        store.seen(&folder.run, token).await.unwrap();
    }
    assert_eq!(store.inbox(&folder.run).await.unwrap(), [(tokens[19].clone(), sent[19].clone())]);
    let unknown = store.signal(&run(99), &sent[0]).await.unwrap_err();
    assert!(matches!(unknown, StoreError::Unknown(_)), "{unknown}");
}

#[tokio::test]
async fn what_is_no_signal_is_left_out() {
    let folder = Folder::with(1).await;
    let store = folder.store();
    let inbox = store.layout().inbox(&folder.run);
    fs::create_dir(&inbox).unwrap();
    fs::write(inbox.join("0.json"), "no json").unwrap();
    fs::write(inbox.join("1.json"), b"\xff\xfe").unwrap();
    fs::write(inbox.join("2.json"), r#"{"name":"../x"}"#).unwrap();
    fs::write(inbox.join("3.json"), vec![b' '; (1 << 20) + 1]).unwrap();
    fs::write(inbox.join("4.new"), r#"{"name":"half-written"}"#).unwrap();
    fs::write(inbox.join(".5.json"), r#"{"name":"hidden"}"#).unwrap();
    fs::create_dir(inbox.join("6.json")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", inbox.join("7.json")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, inbox.join("8.json"), rustix::fs::Mode::RWXU).unwrap();
    fs::write(inbox.join("by-hand.json"), "{\n \"name\": \"approve\"\n}\n").unwrap();
    let signals = store.inbox(&folder.run).await.unwrap();
    assert_eq!(signals.len(), 1);
    assert_eq!((signals[0].0.as_str(), signals[0].1.name.as_str()), ("by-hand", "approve"));
}

#[tokio::test]
async fn hostile_tokens_and_large_signals_are_refused() {
    let folder = Folder::with(1).await;
    let store = folder.store();
    for token in ["", ".", "..", "../plan", "a/b", "/etc/x", "a\0b"] {
        let error = store.seen(&folder.run, token).await.unwrap_err();
        assert!(matches!(error, StoreError::Io { .. }), "{token:?}: {error}");
    }
    assert!(store.layout().plan(&folder.run).exists());
    let large = signal("s", &format!("\"{}\"", "x".repeat(1 << 20)));
    let error = store.signal(&folder.run, &large).await.unwrap_err();
    assert!(error.to_string().contains("signal `s` of run"), "{error}");
    assert!(store.inbox(&folder.run).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_inbox_that_is_no_folder_is_set_aside_with_the_next_signal() {
    let folder = Folder::with(1).await;
    let store = folder.store();
    let inbox = store.layout().inbox(&folder.run);
    fs::write(&inbox, "no folder").unwrap();
    assert!(store.inbox(&folder.run).await.unwrap().is_empty(), "it keeps no run from going on");
    store.signal(&folder.run, &signal("approve", "1")).await.unwrap();
    assert_eq!(store.inbox(&folder.run).await.unwrap().len(), 1);
    let aside = fs::read_dir(store.layout().run_dir(&folder.run).join("set-aside")).unwrap();
    let kept: Vec<_> = aside.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect();
    assert_eq!(kept, ["no folder"]);
}
