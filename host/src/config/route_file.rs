//! What a route does with a request, as written: one of `upstream`, `split`, `redirect` and `respond`, and what goes with it.

use super::{
    file::tables,
    report::At,
    section::{Item, Section},
};

/// The keys of a route that say what becomes of a request.
#[derive(Debug)]
pub(super) struct ActionTable {
    pub(super) place: At<()>,
    /// Those of the four actions that are there, good or not, in the order as written.
    pub(super) named: Vec<(&'static str, At<()>)>,
    pub(super) upstream: Option<At<String>>,
    pub(super) split: Option<(At<()>, SplitTable)>,
    pub(super) redirect: Option<(At<()>, RedirectTable)>,
    pub(super) respond: Option<(At<()>, RespondTable)>,
    pub(super) sticky: Option<At<String>>,
    pub(super) rewrite: Option<(At<()>, RewriteTable)>,
    pub(super) mirror: Option<(At<()>, MirrorTable)>,
}

/// `split`, by weight or by class.
#[derive(Debug)]
pub(super) enum SplitTable {
    /// `[{ upstream, weight }, …]`
    Shares(Vec<ShareTable>),
    /// `{ by-class = { CLASS = "NAME" }, default = "NAME" }`
    ByClass { classes: Vec<(String, At<String>)>, default: Option<At<String>> },
}

/// A share of `split`.
#[derive(Debug)]
pub(super) struct ShareTable {
    pub(super) upstream: Option<At<String>>,
    pub(super) weight: u32,
}

/// `redirect = { status, scheme, host, port, path, prefix, strip-query }`.
#[derive(Debug)]
pub(super) struct RedirectTable {
    pub(super) status: Option<At<usize>>,
    pub(super) scheme: Option<At<String>>,
    pub(super) host: Option<At<String>>,
    pub(super) port: Option<usize>,
    pub(super) path: Option<At<String>>,
    pub(super) prefix: Option<At<String>>,
    pub(super) strip_query: bool,
}

/// `respond = { status, headers, body }`.
#[derive(Debug)]
pub(super) struct RespondTable {
    pub(super) status: Option<usize>,
    pub(super) headers: Vec<(String, At<String>)>,
    pub(super) body: Option<At<String>>,
}

/// `rewrite = { prefix | regex, to, host }`.
#[derive(Debug)]
pub(super) struct RewriteTable {
    pub(super) prefix: Option<At<String>>,
    pub(super) regex: Option<At<String>>,
    pub(super) to: Option<At<String>>,
    pub(super) host: Option<At<String>>,
}

/// `mirror = { upstream, percent, buffer }`.
#[derive(Debug)]
pub(super) struct MirrorTable {
    pub(super) upstream: Option<At<String>>,
    pub(super) percent: u8,
    pub(super) buffer: usize,
}

impl ActionTable {
    pub(super) fn read<'a>(section: &mut Section<'a>) -> Self {
        let mut named = Vec::new();
        let mut action = |section: &mut Section<'a>, key: &'static str| {
            let item = section.take(key)?;
            named.push((key, item.place()));
            Some(item)
        };
        let mut table = Self {
            place: section.place(),
            upstream: action(section, "upstream").and_then(Item::string),
            split: action(section, "split").and_then(read_split),
            redirect: action(section, "redirect").and_then(|item| placed(item, RedirectTable::read)),
            respond: action(section, "respond").and_then(|item| placed(item, RespondTable::read)),
            sticky: section.take("sticky").and_then(Item::string),
            rewrite: section.take("rewrite").and_then(|item| placed(item, RewriteTable::read)),
            mirror: section.take("mirror").and_then(|item| placed(item, MirrorTable::read)),
            named: Vec::new(),
        };
        named.sort_by_key(|(_, place)| place.line);
        table.named = named;
        table
    }
}

/// The tables of `split`. Each has an upstream.
fn read_split(item: Item<'_>) -> Option<(At<()>, SplitTable)> {
    let place = item.place();
    if item.is_table() {
        return item.section().map(|section| (place, read_classes(section)));
    }
    if item.is_empty_array() {
        item.report().at(&place, "is empty", "write split = [{ upstream = \"NAME\", weight = 90 }, …]");
        return None;
    }
    let shares = tables(Some(item)).into_iter().map(ShareTable::read).collect();
    Some((place, SplitTable::Shares(shares)))
}

fn read_classes(mut section: Section<'_>) -> SplitTable {
    let (report, place) = (section.report(), section.place());
    let classes = section.take("by-class").and_then(Item::section).map(Section::entries).unwrap_or_default();
    if classes.is_empty() && !report.concerns(&place.key) {
        report.at(&place, "has no class", "write split = { by-class = { CLASS = \"NAME\" }, default = \"NAME\" }");
    }
    let classes = classes.into_iter().filter_map(|(class, item)| Some((class, item.string()?))).collect();
    let default = section.need("default", "add default = \"NAME\"").and_then(Item::string);
    section.finish();
    SplitTable::ByClass { classes, default }
}

impl ShareTable {
    fn read(mut section: Section<'_>) -> Self {
        let weight = section.take("weight").and_then(|item| item.count(0, 1_000_000));
        let table = Self {
            upstream: section.need("upstream", "add upstream = \"NAME\"").and_then(Item::string),
            weight: weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1),
        };
        section.finish();
        table
    }
}

impl RedirectTable {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            status: section.take("status").and_then(|item| {
                let place = item.place();
                item.count(300, 399).map(|status| place.map(|()| status))
            }),
            scheme: section.take("scheme").and_then(Item::string),
            host: section.take("host").and_then(Item::string),
            port: section.take("port").and_then(|item| item.count(1, 65_535)),
            path: section.take("path").and_then(Item::string),
            prefix: section.take("prefix").and_then(Item::string),
            strip_query: section.take("strip-query").and_then(Item::boolean).is_some_and(|at| at.value),
        }
    }
}

impl RespondTable {
    fn read(section: &mut Section<'_>) -> Self {
        let headers = section.take("headers").and_then(Item::section).map(Section::entries).unwrap_or_default();
        Self {
            status: section.take("status").and_then(|item| item.count(200, 599)),
            headers: headers.into_iter().filter_map(|(name, item)| Some((name, item.string()?))).collect(),
            body: section.take("body").and_then(Item::string),
        }
    }
}

impl RewriteTable {
    fn read(section: &mut Section<'_>) -> Self {
        Self {
            prefix: section.take("prefix").and_then(Item::string),
            regex: section.take("regex").and_then(Item::string),
            to: section.take("to").and_then(Item::string),
            host: section.take("host").and_then(Item::string),
        }
    }
}

impl MirrorTable {
    fn read(section: &mut Section<'_>) -> Self {
        let percent = section.take("percent").and_then(|item| item.count(0, 100));
        let buffer = section.take("buffer").and_then(|item| item.size(4 << 10, 16 << 20));
        Self {
            upstream: section.need("upstream", "add upstream = \"NAME\"").and_then(Item::string),
            percent: percent.and_then(|percent| u8::try_from(percent).ok()).unwrap_or(100),
            buffer: buffer.and_then(|buffer| usize::try_from(buffer).ok()).unwrap_or(256 << 10),
        }
    }
}

/// A table with its place, and nothing in it that nobody asked for.
fn placed<'a, T>(item: Item<'a>, read: impl FnOnce(&mut Section<'a>) -> T) -> Option<(At<()>, T)> {
    let place = item.place();
    let mut section = item.section()?;
    let table = read(&mut section);
    section.finish();
    Some((place, table))
}
