//! `tollgate route`

use clap::Args;
use http::{HeaderName, HeaderValue, Method, Request, Uri, request};

use super::say;
use super::source::SourceArgs;
use crate::Gateway;

// No doc comment: clap would take it for the command's description.
#[derive(Args)]
pub(super) struct Route {
    #[command(flatten)]
    source: SourceArgs,
    /// The listener that the request comes in on, by name [default: the first].
    #[arg(long, value_name = "NAME")]
    listener: Option<String>,
    /// A header of the request; may be given more than once.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The method of the request.
    method: Method,
    /// Where it is for, as http://HOST/PATH?QUERY.
    #[arg(value_parser = absolute)]
    url: Uri,
}

impl Route {
    pub(super) fn run(self) -> Result<(), String> {
        let head = self.head();
        let (source, overrides) = self.source.into_source(false);
        let explanation = Gateway::explain(&source, &overrides, self.listener.as_deref(), &head)?;
        let passed: String =
            explanation.passed_over.iter().map(|(route, why)| format!("not {route}: {why}\n")).collect();
        let taken = explanation.taken.ok_or_else(|| format!("{passed}no route matches; the answer is 404"))?;
        say(&format!("{passed}{taken:#}"));
        Ok(())
    }

    fn head(&self) -> request::Parts {
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = self.method.clone();
        head.uri = self.url.clone();
        head.headers.extend(self.headers.iter().map(|(name, value)| (Some(name.clone()), value.clone())));
        head
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("write it as \"name: value\"")?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|error| error.to_string())?;
    Ok((name, HeaderValue::from_str(value.trim()).map_err(|error| error.to_string())?))
}

fn absolute(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    match url.authority() {
        Some(_) if url.scheme().is_some() => Ok(url),
        _ => Err("write it with scheme and host, as http://HOST/PATH".to_owned()),
    }
}
