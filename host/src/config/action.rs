//! Checks what a route does with a request: that it is one thing, and that what goes with it goes together.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{
    HostPattern, PathMatch, names,
    report::{At, Report, Wrong},
    rewrite,
    route::{self, Known},
    route_file::{ActionTable, MirrorTable, RedirectTable, RespondTable, ShareTable, SplitTable},
};
use crate::route::{
    Action, Answer, ByClass, Destination, Forward, Mirror, NewPath, PrefixChange, Redirect, Split, Sticky,
};

/// The largest body of a fixed response. Larger things are files, which servers serve.
const MAX_BODY: usize = 64 << 10;

/// Fields that frame a message or belong to a connection.
const RESERVED: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

/// The action of a route whose path is this one, if that is good.
pub(super) fn check(
    table: &ActionTable,
    path: Option<&PathMatch>,
    known: &Known<'_>,
    report: &Report,
) -> Option<Action> {
    match table.named.as_slice() {
        [] => report.at(
            &table.place,
            "does nothing with a request",
            "add upstream = \"NAME\", split, redirect or respond",
        ),
        [_] => (),
        [(first, _), rest @ ..] => rest.iter().for_each(|(_, place)| {
            report.at(
                place,
                format!("the route has {first} as well"),
                "write one of upstream, split, redirect, respond",
            );
        }),
    }
    let to = destination(table, known, report);
    let rewrite = table.rewrite.as_ref().map(|(place, table)| rewrite::check(place, table, path, report));
    let mirror = table.mirror.as_ref().map(|(_, table)| mirror(table, known, report));
    let redirect = table.redirect.as_ref().and_then(|(place, table)| redirect(place, table, path, report));
    let respond = table.respond.as_ref().and_then(|(_, table)| respond(table, report));
    match table.named.as_slice() {
        [("upstream" | "split", _)] => Some(Action::Forward(Forward {
            to: to?,
            // A problem inside is no action at all.
            rewrite: rewrite.map_or(Some(None), |rewrite| rewrite.map(Some))?,
            mirror: mirror.map_or(Some(None), |mirror| mirror.map(Some))?,
        })),
        [(action, _)] => {
            of_upstreams_only(table, action, report);
            redirect.map(Action::Redirect).or(respond.map(Action::Respond))
        }
        _ => None,
    }
}

/// Keys that mean nothing where no upstream is asked.
fn of_upstreams_only(table: &ActionTable, action: &str, report: &Report) {
    let rewrite = table.rewrite.as_ref().map(|(place, _)| place);
    let mirror = table.mirror.as_ref().map(|(place, _)| place);
    for place in [rewrite, mirror].into_iter().flatten() {
        report.at(place, format!("means nothing beside {action}"), "leave it out, or write upstream or split instead");
    }
}

fn destination(table: &ActionTable, known: &Known<'_>, report: &Report) -> Option<Destination> {
    let sticky = table.sticky.as_ref().and_then(|at| report.good(at, sticky(&at.value)));
    if let (Some(at), None | Some((_, SplitTable::ByClass { .. }))) = (&table.sticky, &table.split) {
        report.at(at, "means nothing without shares", "leave it out, or write split = [ … ]");
    }
    let one = table.upstream.as_ref().and_then(|at| upstream(at, known, report)).map(Destination::One);
    let split = table.split.as_ref().and_then(|(place, table)| match table {
        SplitTable::Shares(shares) => split(place, shares, sticky, known, report),
        SplitTable::ByClass { classes, default } => by_class(classes, default.as_ref(), known, report),
    });
    one.or(split)
}

fn by_class(
    classes: &[(String, At<String>)],
    default: Option<&At<String>>,
    known: &Known<'_>,
    report: &Report,
) -> Option<Destination> {
    let of_class = |(class, at): &(String, At<String>)| Some((class.as_str().into(), upstream(at, known, report)?));
    let classes: Vec<_> = classes.iter().map(of_class).collect();
    let default = upstream(default?, known, report);
    let classes = classes.into_iter().collect::<Option<_>>()?;
    Some(Destination::ByClass(ByClass { classes, default: default? }))
}

fn split(
    place: &At<()>,
    shares: &[ShareTable],
    sticky: Option<Sticky>,
    known: &Known<'_>,
    report: &Report,
) -> Option<Destination> {
    let mut weights: Vec<(usize, u32)> = Vec::new();
    for share in shares {
        let Some(at) = &share.upstream else { continue };
        match upstream(at, known, report) {
            Some(index) if weights.iter().any(|(other, _)| *other == index) => {
                report.at(at, format!("{:?} is named twice", at.value), "add its weights up");
            }
            Some(index) => weights.push((index, share.weight)),
            None => (),
        }
    }
    if shares.iter().all(|share| share.weight == 0) {
        report.at(place, "has no weight above 0", "give at least one upstream a weight");
    }
    weights.iter().any(|(_, weight)| *weight > 0).then(|| Destination::Split(Split::new(weights, sticky)))
}

pub(super) fn sticky(text: &str) -> Result<Sticky, Wrong> {
    let remedy = "write \"header:NAME\", \"cookie:NAME\" or \"client-address\"".to_owned();
    match text.split_once(':') {
        None if text == "client-address" => Ok(Sticky::ClientAddress),
        Some(("header", name)) => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => Ok(Sticky::Field(name)),
            Err(_) => Err((format!("{name:?} is not a header name"), "write letters, digits and dashes".to_owned())),
        },
        // The name of a cookie is a token, as that of a field is, but in the case as written (RFC 6265, section 4.1.1).
        Some(("cookie", name)) => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(_) => Ok(Sticky::Cookie(name.to_owned())),
            Err(_) => {
                Err((format!("{name:?} is not the name of a cookie"), "write letters, digits and dashes".to_owned()))
            }
        },
        _ => Err((format!("{text:?} is nothing to be sticky by"), remedy)),
    }
}

fn mirror(table: &MirrorTable, known: &Known<'_>, report: &Report) -> Option<Mirror> {
    let upstream = table.upstream.as_ref().and_then(|at| upstream(at, known, report))?;
    Some(Mirror { upstream, percent: table.percent, buffer: table.buffer })
}

/// The index of an upstream.
fn upstream(at: &At<String>, known: &Known<'_>, report: &Report) -> Option<usize> {
    let mut upstreams = known.upstreams.iter().map(|upstream| upstream.name.as_str());
    let index = upstreams.clone().position(|name| name == at.value);
    if index.is_none() {
        let remedy = match upstreams.next() {
            None => format!("add [upstreams.{}]", at.value),
            Some(_) => names::suggest(&at.value, "upstreams", known.upstreams.iter().map(|known| known.name.as_str())),
        };
        report.at(at, format!("there is no upstream {:?}", at.value), remedy);
    }
    index
}

fn redirect(place: &At<()>, table: &RedirectTable, path: Option<&PathMatch>, report: &Report) -> Option<Redirect> {
    let status = table.status.as_ref().map(|at| report.good(at, redirect_status(at.value)));
    let scheme = table.scheme.as_ref().map(|at| report.good(at, scheme(&at.value)));
    let host = table.host.as_ref().map(|at| report.good(at, redirect_host(&at.value)));
    let new_path = new_path(table, path, report);
    let parts = [&table.scheme, &table.host, &table.path, &table.prefix];
    if parts.iter().all(|part| part.is_none()) && table.port.is_none() && !table.strip_query {
        let remedy = "write scheme, host, port, path, prefix or strip-query";
        if !report.concerns(&place.key) {
            report.at(place, "leads to where the request came from", remedy);
        }
        return None;
    }
    Some(Redirect {
        status: status.unwrap_or(Some(StatusCode::PERMANENT_REDIRECT))?,
        scheme: scheme.map_or(Some(None), |scheme| scheme.map(Some))?,
        host: host.map_or(Some(None), |host| host.map(Some))?,
        port: table.port.and_then(|port| u16::try_from(port).ok()),
        path: new_path?,
        strip_query: table.strip_query,
    })
}

fn redirect_status(status: usize) -> Result<StatusCode, Wrong> {
    let known = u16::try_from(status).ok().filter(|status| matches!(status, 301 | 302 | 303 | 307 | 308));
    let status = known.and_then(|status| StatusCode::from_u16(status).ok());
    status.ok_or_else(|| ("redirects nobody".to_owned(), "write 301, 302, 303, 307 or 308".to_owned()))
}

fn scheme(text: &str) -> Result<&'static str, Wrong> {
    match text {
        "http" => Ok("http"),
        "https" => Ok("https"),
        _ => Err((format!("{text:?} is not a scheme to redirect to"), "write \"http\" or \"https\"".to_owned())),
    }
}

fn redirect_host(text: &str) -> Result<String, Wrong> {
    match route::host(text) {
        Ok(HostPattern::Exact(host)) => Ok(host),
        Ok(HostPattern::Wildcard(_)) => Err((format!("{text:?} is more than one host"), "write a host".to_owned())),
        Err((message, _)) if message.ends_with("a port") => Err((message, "write it as port = …".to_owned())),
        Err((message, _)) => Err((message, "write a host such as \"api.example.com\"".to_owned())),
    }
}

fn new_path(table: &RedirectTable, path: Option<&PathMatch>, report: &Report) -> Option<NewPath> {
    match (&table.path, &table.prefix) {
        (None, None) => Some(NewPath::Kept),
        (Some(at), None) => route::plain_path(at, "path", report).map(NewPath::Fixed),
        (None, Some(at)) => prefix_change(at, path, report).map(NewPath::Prefix),
        (Some(_), Some(at)) => {
            report.at(at, "there is a path as well", "write one of path and prefix");
            None
        }
    }
}

/// What takes the place of the prefix that the route's path has.
pub(super) fn prefix_change(at: &At<String>, path: Option<&PathMatch>, report: &Report) -> Option<PrefixChange> {
    let with = route::plain_path(at, "prefix", report);
    match path? {
        PathMatch::Prefix(matched) => with.map(|with| PrefixChange::new(matched, &with)),
        _ => {
            report.at(at, "takes the place of no prefix", "add path = { prefix = \"/…\" } to the route");
            None
        }
    }
}

fn respond(table: &RespondTable, report: &Report) -> Option<Answer> {
    let status = table.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let status = StatusCode::from_u16(status).ok()?;
    let mut fields = HeaderMap::new();
    for (name, value) in &table.headers {
        if let Some((name, value)) = report.good(value, response_field(name, &value.value)) {
            fields.append(name, value);
        }
    }
    let body = table.body.as_ref().map_or(Bytes::new(), |at| body(at, status, report));
    if !body.is_empty() {
        fields.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Some(Answer { status, fields, body })
}

fn response_field(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Wrong> {
    let wrong = |message: String, remedy: &str| Err((message, remedy.to_owned()));
    match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        (Err(_), _) => wrong(format!("{name:?} is not a header name"), "write letters, digits and dashes"),
        (Ok(name), _) if RESERVED.contains(&name) || name == "keep-alive" || name == "proxy-connection" => {
            wrong(format!("{name} frames the message or belongs to the connection"), "leave it to the gateway")
        }
        (Ok(_), Err(_)) => {
            wrong("has characters that no header value has".to_owned(), "write visible ASCII characters")
        }
        (Ok(name), Ok(value)) => Ok((name, value)),
    }
}

fn body(at: &At<String>, status: StatusCode, report: &Report) -> Bytes {
    if at.value.len() > MAX_BODY {
        report.at(at, "is longer than 64KiB", "shorten it, or let an upstream serve it");
    }
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED) {
        report.at(at, format!("a response with status {} has no body", status.as_u16()), "leave it out");
    }
    Bytes::from(at.value.clone())
}
