//! A claim that cannot be read for a moment is not lost: both ends of a deployment wait for it, for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::standin::Standin;
use super::watched::{proxied, said};
use super::*;

/// Two versions behind a proxy; with the second look at the new one a person says `word`, and the claim cannot be read from then on, until
/// it was waited for that often.
struct Scene {
    desk: Desk,
    proxy: Standin,
    waits: Arc<AtomicUsize>,
}

impl Scene {
    fn new(word: &'static str, until: usize) -> Self {
        let desk = Desk::new();
        let proxy = Standin::at(&desk.state());
        desk.when(said("promote"));
        desk.deploy(1, proxied("0.1.0", "")).unwrap();
        let waits = Arc::<AtomicUsize>::default();
        let (counted, claim) = (waits.clone(), desk.state().join("deploy/production/claim.json"));
        let mut looks = 0;
        desk.when(move |_, wait| {
            let aside = claim.with_extension("aside");
            if wait.signal.is_none() {
                if counted.fetch_add(1, Ordering::SeqCst) + 1 == until {
                    std::fs::remove_dir(&claim).unwrap();
                    std::fs::rename(&aside, &claim).unwrap();
                }
                return None;
            }
            looks += 1;
            if looks != 2 {
                return None;
            }
            std::fs::rename(&claim, &aside).unwrap();
            std::fs::create_dir(&claim).unwrap();
            Some(json!(word))
        });
        Self { desk, proxy, waits }
    }

    fn waited(&self) -> usize {
        self.waits.load(Ordering::SeqCst)
    }
}

#[test]
fn a_rollback_waits_until_its_claim_can_be_read() {
    let scene = Scene::new("rollback", 3);
    let failed = scene.desk.deploy(2, proxied("0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("0.1.0 has all traffic again"), "{}", failed.summary);
    assert_eq!(scene.waited(), 3);
    assert_eq!(
        (scene.desk.running(), scene.proxy.served()),
        (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()])
    );
    assert!(scene.desk.is_free());
}

#[test]
fn a_promotion_waits_until_its_claim_can_be_read() {
    let scene = Scene::new("promote", 3);
    scene.desk.deploy(2, proxied("0.2.0", "")).unwrap();
    assert_eq!(scene.waited(), 3);
    assert_eq!(
        (scene.desk.running(), scene.proxy.served()),
        (vec!["0.2.0".into()], vec!["hello from 0.2.0".into()])
    );
    assert!(scene.desk.is_free());
}

#[test]
fn an_end_whose_claim_stays_unreadable_says_what_is_left() {
    for (word, says) in [("rollback", "going back failed"), ("promote", "could not be made current")] {
        let scene = Scene::new(word, usize::MAX);
        let failed = scene.desk.deploy(2, proxied("0.2.0", "")).unwrap_err();
        assert!(failed.summary.contains(says), "{}", failed.summary);
        assert!(failed.summary.contains("what had the traffic has it still"), "{}", failed.summary);
        assert!((10..1000).contains(&scene.waited()), "{}", scene.waited());
        assert_eq!(scene.desk.running(), ["0.1.0", "0.2.0"], "nobody who may be sent traffic is ended");
        let claim = scene.desk.state().join("deploy/production/claim.json");
        std::fs::remove_dir(&claim).unwrap();
        std::fs::rename(claim.with_extension("aside"), &claim).unwrap();
        // Whoever comes next puts it right.
        scene.desk.orphan();
        scene.desk.when(said("promote"));
        scene.desk.deploy(3, proxied("0.3.0", "")).unwrap();
        assert_eq!(
            (scene.desk.running(), scene.proxy.served()),
            (vec!["0.3.0".into()], vec!["hello from 0.3.0".into()])
        );
    }
}
