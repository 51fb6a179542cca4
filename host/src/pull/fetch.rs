//! Looks at references, several at once, each within the time that its registry has.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::deploy::Known;
use crate::oci::{Access, Digest, MAX_MODULE, Manifest, Place, Reference, Repository, Selector};

/// What is looked at.
pub(super) struct Request {
    pub(super) reference: Reference,
    /// Whether its signatures are needed.
    pub(super) signed: bool,
    /// What is here of it.
    pub(super) known: Option<Known>,
}

/// What it means now.
pub(super) enum Found {
    /// What is known.
    Same,
    /// Something else; with its module unless that is here.
    Other { known: Known, module: Option<Vec<u8>> },
}

pub(super) fn runtime() -> Option<Runtime> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.inspect_err(|error| tracing::error!(%error, "nothing can be fetched")).ok()
}

/// What all of these mean, in their order.
pub(super) async fn all(requests: Vec<Request>, access: &Access) -> Vec<Result<Found, String>> {
    let count = requests.len();
    let mut tasks = JoinSet::new();
    for (index, request) in requests.into_iter().enumerate() {
        let access = access.clone();
        tasks.spawn(async move { (index, within(request, &access).await) });
    }
    let mut found: Vec<_> = (0..count).map(|_| Err("was given up".to_owned())).collect();
    while let Some(done) = tasks.join_next().await {
        if let Ok((index, result)) = done {
            found[index] = result;
        }
    }
    found
}

async fn within(request: Request, access: &Access) -> Result<Found, String> {
    let time = match &request.reference.place {
        Place::Registry { host, .. } => access.timeout(host),
        Place::Bundle(_) => access.timeout(""),
    };
    match tokio::time::timeout(time, one(request, access)).await {
        Ok(found) => found.map_err(|error| error.to_string()),
        Err(_) => Err(format!("cannot be had within {} s", time.as_secs())),
    }
}

async fn one(request: Request, access: &Access) -> Result<Found, crate::oci::Error> {
    let Request { reference, signed, known } = request;
    let repository = Repository::open(access, &reference.place)?;
    // What a digest means is known for ever.
    let fixed = known.clone().filter(|_| !reference.moves());
    let (manifest, artifact) = match &fixed {
        Some(known) => (known.manifest.clone(), known.artifact),
        None => {
            let (manifest, _) = repository.manifest(&Selector::of(&reference)?).await?;
            let artifact = Digest::of(&manifest);
            (String::from_utf8_lossy(&manifest).into_owned(), artifact)
        }
    };
    let signatures = if signed { Some(repository.signatures(&artifact).await?) } else { None };
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    match known {
        Some(known) if known.artifact == artifact && (!signed || known.signatures == signatures) => Ok(Found::Same),
        Some(known) if known.artifact == artifact => {
            Ok(Found::Other { known: Known { signatures, ..known }, module: None })
        }
        _ => {
            let read = Manifest::read(manifest.as_bytes())?;
            let module = repository.blob(read.module()?, MAX_MODULE).await?;
            Ok(Found::Other { known: Known { artifact, manifest, signatures, at }, module: Some(module) })
        }
    }
}
