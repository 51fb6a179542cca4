//! A registry by the distribution specification: what is asked, who is asked, and who asks.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Deserialize;

use super::access::{Access, Endpoint, is_local};
use super::auth::{self, Challenge};
use super::credentials::Credentials;
use super::http::{self as wire, Answer, Message, Target, Way};
use super::manifest::MANIFEST;
use super::proxy::proxy_to;
use super::{Descriptor, Digest, Error, MAX_DOCUMENT};

/// How often an answer may point elsewhere.
const MAX_REDIRECTS: usize = 5;
/// How many tags are listed.
const MAX_TAGS: usize = 10_000;

/// What manifests may be. An index is none of ours, but better told than missed.
const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";

const PULL: &str = "pull";
const PUSH: &str = "pull,push";

/// A repository in a registry, asked through its mirrors if there are any.
pub(super) struct Registry {
    access: Access,
    host: String,
    repository: String,
    /// By whom and what it allows, what has been good as `Authorization`.
    authorizations: Mutex<HashMap<(String, String), HeaderValue>>,
}

impl Registry {
    pub(super) fn new(access: &Access, host: &str, repository: &str) -> Self {
        let (host, repository) = match host {
            "docker.io" if !repository.contains('/') => (host.to_owned(), format!("library/{repository}")),
            _ => (host.to_owned(), repository.to_owned()),
        };
        Self { access: access.clone(), host, repository, authorizations: Mutex::default() }
    }

    /// A manifest by its tag or its digest, and who gave it.
    pub(super) async fn manifest(&self, reference: &str) -> Result<(Vec<u8>, String), Error> {
        let path = format!("manifests/{reference}");
        let what = || format!("{}:{reference}", self.repository);
        self.first_of(&path, MANIFESTS, MAX_DOCUMENT, what).await
    }

    /// Content by its digest, which is verified.
    pub(super) async fn blob(&self, wanted: &Descriptor) -> Result<Vec<u8>, Error> {
        let path = format!("blobs/{}", wanted.digest);
        let what = || format!("{}@{}", self.repository, wanted.digest);
        Ok(self.first_of(&path, "*/*", wanted.size, what).await?.0)
    }

    /// All tags, as far as they are listed.
    pub(super) async fn tags(&self) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let endpoint = self.access.endpoint(&self.host);
        let mut target = self.target(&endpoint, "tags/list?n=1000");
        let mut tags = Vec::new();
        loop {
            let answer = self.get(&endpoint, &target, "application/json", MAX_DOCUMENT).await?;
            self.expect(&answer, &[StatusCode::OK], || self.repository.clone())?;
            let page: Page = serde_json::from_slice(&answer.body)
                .map_err(|error| Error::server(&self.host, format!("lists tags in no way that is known: {error}")))?;
            let page = page.tags.unwrap_or_default();
            let is_more = !page.is_empty();
            tags.extend(page);
            match next_page(&answer).and_then(|next| target.join(&next)).filter(|_| is_more && tags.len() < MAX_TAGS) {
                Some(next) if next.authority == target.authority => target = next,
                _ => return Ok(tags),
            }
        }
    }

    /// Puts content there, unless it is there.
    pub(super) async fn put_blob(&self, content: Bytes) -> Result<(), Error> {
        let endpoint = self.access.endpoint(&self.host);
        let digest = Digest::of(&content);
        let head = self.message(Method::HEAD, vec![], Bytes::new());
        let there = self.call(&endpoint, &self.target(&endpoint, &format!("blobs/{digest}")), head, PUSH).await?;
        if there.status == StatusCode::OK {
            return Ok(());
        }
        let begin = self.message(Method::POST, vec![], Bytes::new());
        let place = self.target(&endpoint, "blobs/uploads/");
        let begun = self.call(&endpoint, &place, begin, PUSH).await?;
        self.expect(&begun, &[StatusCode::ACCEPTED, StatusCode::CREATED], || self.repository.clone())?;
        let location = begun.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
        let location = location.and_then(|location| place.join(location)).filter(|to| endpoint.plain || !to.plain);
        let mut to = location.ok_or_else(|| Error::server(&self.host, "does not say where to put content"))?;
        let joint = if to.path.contains('?') { '&' } else { '?' };
        to.path = format!("{}{joint}digest={digest}", to.path);
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let put = self.message(Method::PUT, vec![kind], content);
        let done = match to.authority == place.authority {
            true => self.call(&endpoint, &to, put, PUSH).await?,
            // Storage elsewhere has its permission in the address.
            false => self.send(&endpoint, &to, put).await?,
        };
        self.expect(&done, &[StatusCode::CREATED, StatusCode::NO_CONTENT], || self.repository.clone())
    }

    /// Puts a manifest there, under a tag or its digest.
    pub(super) async fn put_manifest(&self, manifest: Vec<u8>, reference: &str) -> Result<(), Error> {
        let endpoint = self.access.endpoint(&self.host);
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static(MANIFEST));
        let put = self.message(Method::PUT, vec![kind], manifest.into());
        let target = self.target(&endpoint, &format!("manifests/{reference}"));
        let done = self.call(&endpoint, &target, put, PUSH).await?;
        self.expect(&done, &[StatusCode::CREATED, StatusCode::OK], || self.repository.clone())
    }

    /// The first good answer of the mirrors and the registry.
    async fn first_of(
        &self,
        path: &str,
        accept: &'static str,
        most: u64,
        what: impl Fn() -> String,
    ) -> Result<(Vec<u8>, String), Error> {
        let mut problems = Vec::new();
        for endpoint in self.access.endpoints(&self.host) {
            let target = self.target(&endpoint, path);
            let answer = self.get(&endpoint, &target, accept, most).await;
            let checked = answer.and_then(|answer| {
                expect(&endpoint.name, &answer, &[StatusCode::OK], &what)?;
                Ok(answer.body)
            });
            match checked {
                Ok(body) => return Ok((body, endpoint.name)),
                Err(problem) => problems.push(problem),
            }
        }
        match problems.len() {
            1 => Err(problems.remove(0)),
            _ => Err(Error::Several(problems)),
        }
    }

    /// Asks for something, wherever it is.
    async fn get(
        &self,
        endpoint: &Endpoint,
        target: &Target,
        accept: &'static str,
        most: u64,
    ) -> Result<Answer, Error> {
        let accept = vec![(header::ACCEPT, HeaderValue::from_static(accept))];
        let message = Message { most, ..self.message(Method::GET, accept, Bytes::new()) };
        let mut answer = self.call(endpoint, target, message.clone(), PULL).await?;
        let mut at = target.clone();
        for _ in 0..MAX_REDIRECTS {
            if !answer.status.is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
            let next = location.and_then(|location| at.join(location)).filter(|next| endpoint.plain || !next.plain);
            at = next.ok_or_else(|| Error::server(&endpoint.name, "points to nowhere that may be asked"))?;
            // Whoever that is, it gets no credentials.
            answer = self.send(endpoint, &at, message.clone()).await?;
        }
        match answer.status.is_redirection() {
            true => Err(Error::server(&endpoint.name, "points elsewhere too often")),
            false => Ok(answer),
        }
    }

    /// Sends a message, with credentials if they are asked for.
    async fn call(&self, endpoint: &Endpoint, to: &Target, message: Message, allows: &str) -> Result<Answer, Error> {
        let scope = format!("repository:{}{}:{allows}", endpoint.prefix, self.repository);
        let key = (endpoint.name.clone(), scope.clone());
        let known = self.authorizations.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let was_known = known.is_some();
        let answer = self.send(endpoint, to, authorized(&message, known)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let denied = |problem: &str| Error::Denied { server: endpoint.name.clone(), problem: problem.to_owned() };
        let challenge = Challenge::of(&answer.headers).ok_or_else(|| denied("it does not say how to ask"))?;
        let found = self.authorize(endpoint, to, challenge, &scope).await?;
        let Some(found) = found else { return Err(denied("it wants credentials, and there are none; log in to it")) };
        let answer = self.send(endpoint, to, authorized(&message, Some(found.clone()))).await?;
        match answer.status {
            StatusCode::UNAUTHORIZED if was_known => Err(denied("it takes the credentials no longer")),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(denied("the credentials are not good for that")),
            _ => {
                self.authorizations.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found);
                Ok(answer)
            }
        }
    }

    /// What answers a challenge.
    async fn authorize(
        &self,
        endpoint: &Endpoint,
        to: &Target,
        challenge: Challenge,
        scope: &str,
    ) -> Result<Option<HeaderValue>, Error> {
        let (file, host) = (endpoint.credentials.clone(), endpoint.name.clone());
        let found = tokio::task::spawn_blocking(move || Credentials::find(file.as_deref(), &host)).await;
        let credentials = found.map_err(|_| Error::wrong("the credentials", "cannot be looked for"))??;
        let (realm, service, own_scope) = match challenge {
            Challenge::Basic => return credentials.basic().transpose(),
            Challenge::Bearer { realm, service, scope } => (realm, service, scope),
        };
        let scope = own_scope.as_deref().unwrap_or(scope);
        let realm = to.join(&realm).filter(|realm| endpoint.plain || !realm.plain || is_local(&realm.authority));
        let mut realm =
            realm.ok_or_else(|| Error::server(&endpoint.name, "names no place for tokens that may be asked"))?;
        let message = match &credentials {
            Credentials::Refresh(refresh) => {
                let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
                let form = auth::token_form(service.as_deref(), scope, refresh);
                self.message(Method::POST, vec![(header::CONTENT_TYPE, kind)], form.into())
            }
            _ => {
                let joint = if realm.path.contains('?') { '&' } else { '?' };
                realm.path = format!("{}{joint}{}", realm.path, auth::token_query(service.as_deref(), scope));
                authorized(&self.message(Method::GET, vec![], Bytes::new()), credentials.basic().transpose()?)
            }
        };
        let answer = self.send(endpoint, &realm, message).await?;
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let problem = "no token is given for these credentials".to_owned();
            return Err(Error::Denied { server: realm.authority, problem });
        }
        expect(&realm.authority, &answer, &[StatusCode::OK], || "token".to_owned())?;
        let token = auth::token(&answer.body).ok_or_else(|| Error::server(&realm.authority, "gives no token"))?;
        auth::bearer(&token).map(Some)
    }

    async fn send(&self, endpoint: &Endpoint, to: &Target, message: Message) -> Result<Answer, Error> {
        let other = (to.authority != endpoint.authority).then(|| self.access.endpoint(&to.authority).roots).flatten();
        let tls = match to.plain {
            true => None,
            false => Some(self.access.tls(other.or_else(|| endpoint.roots.clone()).as_ref())?),
        };
        let proxy = proxy_to(to)?;
        let proxy = proxy.map(|proxy| match proxy.is_secure {
            true => self.access.tls(None).map(|tls| (proxy, Some(tls))),
            false => Ok((proxy, None)),
        });
        wire::send(to, Way { tls, proxy: proxy.transpose()? }, message).await
    }

    fn target(&self, endpoint: &Endpoint, path: &str) -> Target {
        let path = format!("/v2/{}{}/{path}", endpoint.prefix, self.repository);
        Target { plain: endpoint.plain, authority: endpoint.authority.clone(), path }
    }

    fn message(&self, method: Method, headers: Vec<(HeaderName, HeaderValue)>, body: Bytes) -> Message {
        Message { method, headers, body, most: MAX_DOCUMENT }
    }

    fn expect(&self, answer: &Answer, good: &[StatusCode], what: impl Fn() -> String) -> Result<(), Error> {
        expect(&self.host, answer, good, what)
    }
}

fn authorized(message: &Message, authorization: Option<HeaderValue>) -> Message {
    let mut message = message.clone();
    message.headers.extend(authorization.map(|value| (header::AUTHORIZATION, value)));
    message
}

fn expect(server: &str, answer: &Answer, good: &[StatusCode], what: impl Fn() -> String) -> Result<(), Error> {
    match answer.status {
        status if good.contains(&status) => Ok(()),
        StatusCode::NOT_FOUND => Err(Error::NotFound { server: server.to_owned(), what: what() }),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(Error::Denied { server: server.to_owned(), problem: format!("it answers {}", answer.status) })
        }
        status => Err(Error::server(server, format!("answers {status}{}", reason(&answer.body)))),
    }
}

/// What a registry says about its error, if it can be shown.
fn reason(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        errors: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        #[serde(default)]
        message: String,
    }
    let first = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.errors.into_iter().next());
    let message: String = first.map(|item| item.message).unwrap_or_default();
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// `Link: <…>; rel="next"`.
fn next_page(answer: &Answer) -> Option<String> {
    let link = answer.headers.get(header::LINK)?.to_str().ok()?;
    let (address, parameters) = link.trim_start().strip_prefix('<')?.split_once('>')?;
    parameters.contains("next").then(|| address.to_owned())
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registry({}/{})", self.host, self.repository)
    }
}
