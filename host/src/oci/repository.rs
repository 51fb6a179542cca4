//! A repository, wherever it is: what is in it is fetched, pushed and copied in the same way from and to registries and bundles.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::artifact::Artifact;
use super::layout::Layout;
use super::registry::Registry;
use super::signature::{self, Signature};
use super::{Access, Descriptor, Digest, Error, MAX_DOCUMENT, MAX_MODULE, Manifest, Place, Reference};

/// Which artifact of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The one that has that tag now.
    Tag(String),
    /// The one with that digest.
    Digest(Digest),
}

impl Selector {
    /// Of a reference: its digest counts before its tag.
    ///
    /// # Errors
    /// If it has neither.
    pub fn of(reference: &Reference) -> Result<Self, Error> {
        match (&reference.digest, &reference.tag) {
            (Some(digest), _) => Ok(Self::Digest(*digest)),
            (None, Some(tag)) => Ok(Self::Tag(tag.clone())),
            (None, None) => Err(Error::wrong(format!("{reference}"), "names no version; add :TAG or @DIGEST")),
        }
    }
}

/// An artifact as it was fetched. All is as its digests say.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The digest of its manifest, by which it is known.
    pub digest: Digest,
    /// The manifest as it is written.
    pub manifest: Vec<u8>,
    /// The module.
    pub module: Vec<u8>,
    /// Who gave the manifest.
    pub from: String,
}

/// A repository.
#[derive(Debug)]
pub struct Repository(At);

#[derive(Debug)]
enum At {
    Registry(Box<Registry>),
    Bundle(Mutex<Layout>),
}

impl Repository {
    /// That of a reference.
    ///
    /// # Errors
    /// If it is a bundle that is not there.
    pub fn open(access: &Access, place: &Place) -> Result<Self, Error> {
        match place {
            Place::Registry { host, repository } => {
                Ok(Self(At::Registry(Box::new(Registry::new(access, host, repository)))))
            }
            Place::Bundle(path) => Ok(Self(At::Bundle(Mutex::new(Layout::open(path)?)))),
        }
    }

    /// As `open`, to put something there: a bundle that is not there is made.
    ///
    /// # Errors
    /// If it cannot be.
    pub fn open_or_make(access: &Access, place: &Place) -> Result<Self, Error> {
        match place {
            Place::Bundle(path) => Ok(Self(At::Bundle(Mutex::new(Layout::open_or_make(path)?)))),
            Place::Registry { .. } => Self::open(access, place),
        }
    }

    /// A manifest as it is written, and who gave it. One that is named by its digest has it.
    ///
    /// # Errors
    /// If it cannot be had.
    pub async fn manifest(&self, wanted: &Selector) -> Result<(Vec<u8>, String), Error> {
        let (content, from) = match &self.0 {
            At::Registry(registry) => match wanted {
                Selector::Tag(tag) => registry.manifest(tag).await?,
                Selector::Digest(digest) => registry.manifest(&digest.to_string()).await?,
            },
            At::Bundle(bundle) => {
                let layout = lock(bundle);
                let digest = match wanted {
                    Selector::Tag(tag) => layout.find(tag)?,
                    Selector::Digest(digest) => *digest,
                };
                (layout.content(&digest, MAX_DOCUMENT)?, "the bundle".to_owned())
            }
        };
        match wanted {
            Selector::Digest(digest) if Digest::of(&content) != *digest => {
                let problem = format!("gives something else for {digest}: {}", Digest::of(&content));
                Err(Error::Server { server: from, problem })
            }
            _ => Ok((content, from)),
        }
    }

    /// Content that a manifest describes.
    ///
    /// # Errors
    /// If it cannot be had, or is something else.
    pub async fn blob(&self, wanted: &Descriptor, most: u64) -> Result<Vec<u8>, Error> {
        if wanted.size > most {
            let problem = format!("has {} bytes, more than {most}", wanted.size);
            return Err(Error::wrong(wanted.digest.to_string(), problem));
        }
        let content = match &self.0 {
            At::Registry(registry) => registry.blob(wanted).await?,
            At::Bundle(bundle) => lock(bundle).content(&wanted.digest, most)?,
        };
        wanted.check(&content)?;
        Ok(content)
    }

    /// A filter.
    ///
    /// # Errors
    /// If it cannot be had, or is none.
    pub async fn fetch(&self, wanted: &Selector) -> Result<Fetched, Error> {
        let (manifest, from) = self.manifest(wanted).await?;
        let read = Manifest::read(&manifest)?;
        let module = self.blob(read.module()?, MAX_MODULE).await?;
        Ok(Fetched { digest: Digest::of(&manifest), manifest, module, from })
    }

    /// The signatures of an artifact, as far as there are any.
    ///
    /// # Errors
    /// If nobody answers, or what is there cannot be read.
    pub async fn signatures(&self, of: &Digest) -> Result<Vec<Signature>, Error> {
        let found = self.manifest(&Selector::Tag(of.signature_tag())).await;
        let (manifest, _) = match found {
            Err(error) if error.is_absence() => return Ok(Vec::new()),
            found => found?,
        };
        let mut signatures = Vec::new();
        for layer in signature::layers(&Manifest::read(&manifest)?) {
            let payload = self.blob(layer, signature::MAX_PAYLOAD).await?;
            signatures.extend(Signature::of(layer, payload));
        }
        Ok(signatures)
    }

    /// All tags.
    ///
    /// # Errors
    /// If nobody answers.
    pub async fn tags(&self) -> Result<Vec<String>, Error> {
        match &self.0 {
            At::Registry(registry) => registry.tags().await,
            At::Bundle(bundle) => lock(bundle).tags(),
        }
    }

    /// Puts a module there, under that tag if there is one.
    ///
    /// # Errors
    /// If it cannot be put there.
    pub async fn push(&self, artifact: &Artifact, module: &[u8], tag: Option<&str>) -> Result<(), Error> {
        self.put(module).await?;
        self.put(&artifact.config).await?;
        self.put_manifest(&artifact.manifest, tag).await
    }

    /// Puts an artifact of another repository there, with its signatures.
    ///
    /// # Errors
    /// If it cannot be had, or cannot be put there.
    pub async fn copy_from(&self, other: &Self, fetched: &Fetched, tag: Option<&str>) -> Result<usize, Error> {
        let manifest = Manifest::read(&fetched.manifest)?;
        self.put(&fetched.module).await?;
        self.put(&other.blob(&manifest.config, MAX_DOCUMENT).await?).await?;
        self.put_manifest(&fetched.manifest, tag).await?;
        let signatures = other.signatures(&fetched.digest).await?;
        self.add_signatures(&fetched.digest, &signatures).await?;
        Ok(signatures.len())
    }

    /// Puts signatures of an artifact beside those that are there.
    ///
    /// # Errors
    /// If they cannot be put there.
    pub async fn add_signatures(&self, of: &Digest, more: &[Signature]) -> Result<(), Error> {
        let mut all = self.signatures(of).await?;
        let before = all.len();
        for signature in more {
            if !all.contains(signature) {
                all.push(signature.clone());
            }
        }
        if all.len() == before {
            return Ok(());
        }
        let (config, manifest) = signature::manifest(&all)?;
        for signature in &all {
            self.put(&signature.payload).await?;
        }
        self.put(&config).await?;
        self.put_manifest(&manifest, Some(&of.signature_tag())).await
    }

    async fn put(&self, content: &[u8]) -> Result<(), Error> {
        match &self.0 {
            At::Registry(registry) => registry.put_blob(content.to_vec().into()).await,
            At::Bundle(bundle) => lock(bundle).put(content),
        }
    }

    async fn put_manifest(&self, manifest: &[u8], tag: Option<&str>) -> Result<(), Error> {
        match &self.0 {
            At::Registry(registry) => {
                let name = tag.map_or_else(|| Digest::of(manifest).to_string(), ToOwned::to_owned);
                registry.put_manifest(manifest.to_vec(), &name).await
            }
            At::Bundle(bundle) => lock(bundle).put_manifest(manifest, tag),
        }
    }
}

fn lock(layout: &Mutex<Layout>) -> MutexGuard<'_, Layout> {
    layout.lock().unwrap_or_else(PoisonError::into_inner)
}
