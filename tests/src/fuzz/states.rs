//! What a gateway has kept of what served, as it is read again at the start: it is used or it is said to be damaged, and what comes
//! next is written down.

use std::cell::OnceCell;
use std::path::PathBuf;

use serde_json::Value;
use tollgate::config::{Recording, Source};
use tollgate::deploy::{Deploy, Home, Operation};
use tollgate::sandbox::Digest;

use crate::files::Folder;

/// The file without the sum in its first line, which is put there.
pub fn run(data: &[u8]) {
    thread_local!(static FOLDER: OnceCell<Folder> = const { OnceCell::new() });
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(Folder::new);
        let source = Source::File(PathBuf::from("/tollgate.toml"));
        let open = || Deploy::open(Some(folder.path()), &source);
        if !Home::of(folder.path(), &source).path().exists() {
            drop(open());
        }
        let home = Home::of(folder.path(), &source);
        let content = [Digest::of(data).to_string().as_bytes(), b"\n", data].concat();
        std::fs::write(home.path().join("state.json"), content).unwrap_or_else(|error| panic!("{error}"));
        let deploy = open();
        assert!(deploy.home().is_some(), "what is damaged is written anew");
        use_it(&deploy, data);
        deploy.served(&Recording::default(), &[], Vec::new());
        let last = open().last_served().unwrap_or_else(|error| panic!("{error}"));
        assert!(last.is_some(), "what serves now has not been written down");
    });
}

/// Asks for everything that the file may be about.
fn use_it(deploy: &Deploy, data: &[u8]) {
    let _ = deploy.last_served();
    let _ = deploy.room();
    let written: Value = serde_json::from_slice(data).unwrap_or_default();
    let policies = ["versions", "pins", "rejected"].into_iter().filter_map(|key| written[key].as_object());
    for policy in policies.flat_map(|policies| policies.keys()) {
        let _ = deploy.held(policy);
        if let Some(version) = deploy.last_version(policy) {
            let _ = deploy.kept(policy, version);
        }
        let operation = Operation::RollBack { policy: policy.clone(), version: None };
        if let Ok((version, before)) = deploy.operate(&operation, "somebody") {
            version.iter().for_each(|version| drop(deploy.kept(policy, *version)));
            deploy.undo(before);
        }
    }
}

/// States as they are written, and one that names what is no content.
#[must_use]
pub fn seeds() -> Vec<Vec<u8>> {
    const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let kept = |version: &str, since: &str, module: &str| {
        format!(
            r#"{{"version":"{version}",{since}"module":"{module}","entry":"{DIGEST}","filter":"a","file":"/a.toml","line":1,"key":"config"}}"#
        )
    };
    let versions =
        [kept("000000000001", r#""since":1,"#, DIGEST), kept("000000000002", r#""since":2,"#, DIGEST)].join(",");
    let served = r#""served":{"at":1,"texts":{"/t.toml":"00"},"others":["/policies"],"policies":{"p":"000000000002"}}"#;
    let rejected = r#""rejected":{"p":{"version":"000000000003","serve":"000000000001","reason":"r"}}"#;
    let all = format!(
        r#"{{{served},"versions":{{"p":[{versions}]}},"pins":{{"p":"000000000001"}},"paused":{{}},{rejected}}}"#
    );
    let strange =
        format!(r#"{{{served},"versions":{{"p":[{}]}},"all-paused":true}}"#, kept("000000000002", "", "/dev/zero"));
    super::texts([&all, &strange, "{}"])
}
