//! The config file as written: each value with its line, nothing resolved yet.
//!
//! Reading reports values of the wrong kind, values out of range and unknown keys; what a value means is up to
//! [`super::check`].

use std::ops::RangeInclusive;
use std::time::Duration;

use super::{
    CallOptions, EncodedSlash, ForwardIdentity, Limits, Overload, Paths, Tracing, UpstreamOptions, UpstreamTimeouts,
    balance, call,
    endpoints::EndpointsTable,
    forward_identity,
    listener::OptionsTable,
    policy_file::PolicyTable,
    registries::RegistryTable,
    report::At,
    route_file::ActionTable,
    secret::SecretTable,
    section::{Item, Section},
    store::StoreTable,
    tracing,
    transport::TransportTable,
    trust::TrustTable,
};

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct ConfigFile {
    pub(super) listeners: Vec<ListenerTable>,
    pub(super) admin: Option<At<String>>,
    pub(super) workers: Option<usize>,
    /// If there is one: whether it says what filters took.
    pub(super) access_log: Option<bool>,
    pub(super) tracing: Option<Tracing>,
    pub(super) state_dir: Option<At<String>>,
    pub(super) state_size: Option<u64>,
    pub(super) policies_dir: Option<At<String>>,
    pub(super) catalogue: Option<At<String>>,
    pub(super) limits: Limits,
    pub(super) paths: Paths,
    pub(super) upstreams: Vec<UpstreamTable>,
    pub(super) stores: Vec<StoreTable>,
    pub(super) policies: Vec<(At<String>, PolicyTable)>,
    pub(super) secrets: Vec<SecretTable>,
    pub(super) registries: Vec<RegistryTable>,
    pub(super) trust: Vec<TrustTable>,
    pub(super) routes: Vec<RouteTable>,
}

/// `[[listeners]]`.
#[derive(Debug)]
pub(super) struct ListenerTable {
    pub(super) place: At<()>,
    pub(super) name: Option<At<String>>,
    pub(super) address: Option<At<String>>,
    pub(super) options: OptionsTable,
}

/// `[upstreams.NAME]`.
#[derive(Debug)]
pub(super) struct UpstreamTable {
    pub(super) name: At<String>,
    pub(super) endpoints: EndpointsTable,
    pub(super) timeouts: UpstreamTimeouts,
    pub(super) transport: TransportTable,
    pub(super) options: UpstreamOptions,
}

/// `[[routes]]`.
#[derive(Debug)]
pub(super) struct RouteTable {
    pub(super) place: At<()>,
    pub(super) name: Option<At<String>>,
    pub(super) listeners: Option<Vec<At<String>>>,
    pub(super) hosts: Vec<At<String>>,
    pub(super) methods: Vec<At<String>>,
    pub(super) headers: Vec<(At<String>, ValueTable)>,
    pub(super) query: Vec<(At<String>, ValueTable)>,
    pub(super) path: Option<(At<()>, PathTable)>,
    pub(super) policies: Vec<At<String>>,
    pub(super) upgrades: bool,
    pub(super) call: CallOptions,
    pub(super) body_limit: Option<u64>,
    pub(super) forward_identity: Option<ForwardIdentity>,
    pub(super) action: ActionTable,
}

/// What the value of a header or of a parameter must be: `"…"`, `{ exact = "…" }`, `{ regex = "…" }` or `{ present = true }`.
#[derive(Debug, Default)]
pub(super) struct ValueTable {
    pub(super) exact: Option<At<String>>,
    pub(super) regex: Option<At<String>>,
    pub(super) present: Option<At<bool>>,
}

/// `path = { exact | prefix | regex = "…" }`.
#[derive(Debug, Default)]
pub(super) struct PathTable {
    pub(super) exact: Option<At<String>>,
    pub(super) prefix: Option<At<String>>,
    pub(super) regex: Option<At<String>>,
}

impl ConfigFile {
    /// Reads all keys and reports what is wrong with them.
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let (limits, timeouts) = section.take("limits").and_then(Item::section).map(read_limits).unwrap_or_default();
        let file = Self {
            listeners: read_listeners(&mut section),
            admin: section.take("admin").and_then(Item::section).and_then(read_admin),
            workers: section.take("workers").and_then(|item| item.count(1, 1024)),
            access_log: section.take("access-log").and_then(read_access_log),
            tracing: section.take("tracing").and_then(Item::section).map(tracing::read),
            state_dir: section.take("state-dir").and_then(Item::string),
            state_size: section.take("state-size").and_then(|item| item.size(16 << 20, 1 << 44)),
            policies_dir: section.take("policies-dir").and_then(Item::string),
            catalogue: section.take("catalogue").and_then(Item::string),
            limits,
            paths: section.take("paths").and_then(Item::section).map(read_paths).unwrap_or_default(),
            upstreams: named(section.take("upstreams"), |name, table| UpstreamTable::read(name, table, &timeouts)),
            stores: named(section.take("stores"), StoreTable::read),
            policies: named(section.take("policies"), |name, table| (name, PolicyTable::read(table))),
            secrets: named(section.take("secrets"), SecretTable::read),
            registries: named(section.take("registries"), RegistryTable::read),
            trust: tables(section.take("trust")).into_iter().map(TrustTable::read).collect(),
            routes: tables(section.take("routes")).into_iter().map(RouteTable::read).collect(),
        };
        section.finish();
        file
    }
}

impl ListenerTable {
    fn read(mut section: Section<'_>) -> Self {
        let table = Self {
            place: section.place(),
            name: section.take("name").and_then(Item::string),
            address: section.need("address", "add address = \"127.0.0.1:8080\"").and_then(Item::string),
            options: OptionsTable::read(&mut section),
        };
        section.finish();
        table
    }
}

impl UpstreamTable {
    fn read(name: At<String>, mut section: Section<'_>, defaults: &UpstreamTimeouts) -> Self {
        let table = Self {
            name,
            endpoints: EndpointsTable::read(&mut section),
            timeouts: UpstreamTimeouts {
                connect: wait(&mut section, "connect-timeout", defaults.connect),
                first_byte: wait(&mut section, "first-byte-timeout", defaults.first_byte),
                idle: wait(&mut section, "idle-timeout", defaults.idle),
            },
            transport: TransportTable::read(&mut section),
            options: balance::read(&mut section),
        };
        section.finish();
        table
    }
}

impl RouteTable {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let table = Self {
            place: section.place(),
            name: section.take("name").and_then(Item::string),
            listeners: conditions(&mut section, "listeners"),
            hosts: conditions(&mut section, "hosts").unwrap_or_default(),
            methods: conditions(&mut section, "methods").unwrap_or_default(),
            headers: read_values(section.take("headers")),
            query: read_values(section.take("query")),
            path: section.take("path").and_then(PathTable::read),
            policies: section.take("policies").and_then(Item::array).map(strings).unwrap_or_default(),
            upgrades: section.take("upgrades").and_then(Item::boolean).is_none_or(|at| at.value),
            call: call::read(&mut section),
            body_limit: body_limit(&mut section),
            forward_identity: section.take("forward-identity").and_then(forward_identity::read),
            action: ActionTable::read(&mut section),
        };
        section.finish();
        table
    }
}

impl ValueTable {
    fn read(item: Item<'_>) -> Option<Self> {
        if item.is_string() {
            return Some(Self { exact: item.string(), ..Self::default() });
        }
        let mut section = item.section()?;
        let table = Self {
            exact: section.take("exact").and_then(Item::string),
            regex: section.take("regex").and_then(Item::string),
            present: section.take("present").and_then(Item::boolean),
        };
        section.finish();
        Some(table)
    }
}

impl PathTable {
    fn read(item: Item<'_>) -> Option<(At<()>, Self)> {
        let place = item.place();
        if item.is_string() {
            item.report().at(
                &place,
                "is a string, not a table",
                "write path = { prefix = \"/…\" }, or exact, or regex",
            );
            return None;
        }
        let mut section = item.section()?;
        let table = Self {
            exact: section.take("exact").and_then(Item::string),
            prefix: section.take("prefix").and_then(Item::string),
            regex: section.take("regex").and_then(Item::string),
        };
        section.finish();
        Some((place, table))
    }
}

fn read_listeners(section: &mut Section<'_>) -> Vec<ListenerTable> {
    let remedy = "add [[listeners]] with address = \"127.0.0.1:8080\"";
    let Some(item) = section.take("listeners") else {
        section.report().absent("listeners", "there is no listener", remedy);
        return Vec::new();
    };
    if item.is_empty_array() {
        section.report().at(&item.place(), "there is no listener", remedy);
    }
    tables(Some(item)).into_iter().map(ListenerTable::read).collect()
}

fn read_admin(mut section: Section<'_>) -> Option<At<String>> {
    let address = section.need("address", "add address = \"127.0.0.1:9901\"").and_then(Item::string);
    section.finish();
    address
}

fn read_limits(mut section: Section<'_>) -> (Limits, UpstreamTimeouts) {
    let (limits, timeouts) = (Limits::default(), UpstreamTimeouts::default());
    let limits = Limits {
        header_fields: section
            .take("header-fields")
            .and_then(|item| item.count(1, 10_000))
            .unwrap_or(limits.header_fields),
        header_bytes: section
            .take("header-bytes")
            // hyper's read buffer cannot be smaller than the least of these.
            .and_then(|item| item.size(8 << 10, 16 << 20))
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(limits.header_bytes),
        request_line_bytes: bytes(&mut section, "request-line-bytes", 256..=32 << 10, limits.request_line_bytes),
        header_field_bytes: bytes(&mut section, "header-field-bytes", 256..=16 << 20, limits.header_field_bytes),
        // hyper's own bound is 16 KiB.
        chunk_extension_bytes: bytes(&mut section, "chunk-extension-bytes", 0..=8 << 10, limits.chunk_extension_bytes),
        header_timeout: wait(&mut section, "header-timeout", limits.header_timeout),
        keep_alive: wait(&mut section, "keep-alive", limits.keep_alive),
        body_idle: wait(&mut section, "body-idle", limits.body_idle),
        drain: wait(&mut section, "drain", limits.drain),
        upgrade_idle: wait(&mut section, "upgrade-idle", limits.upgrade_idle),
        old_versions: wait(&mut section, "old-versions", limits.old_versions),
        body_limit: body_limit(&mut section),
        http2_streams: section
            .take("http2-streams")
            .and_then(|item| item.count(1, 10_000))
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or(limits.http2_streams),
        overload: Overload::read(&mut section),
    };
    let timeouts = UpstreamTimeouts {
        connect: wait(&mut section, "upstream-connect", timeouts.connect),
        first_byte: wait(&mut section, "upstream-first-byte", timeouts.first_byte),
        idle: wait(&mut section, "upstream-idle", timeouts.idle),
    };
    section.finish();
    (limits, timeouts)
}

fn read_values(item: Option<Item<'_>>) -> Vec<(At<String>, ValueTable)> {
    let entries = item.and_then(Item::section).map(Section::entries).unwrap_or_default();
    let value = |(name, item): (String, Item<'_>)| Some((item.place().map(|()| name), ValueTable::read(item)?));
    entries.into_iter().filter_map(value).collect()
}

/// A bound on a request's body, in bytes; 0 is one, too.
fn body_limit(section: &mut Section<'_>) -> Option<u64> {
    section.take("body-limit").and_then(|item| item.size(0, 1 << 40))
}

/// `true`, or a table that says what there is to be in a line besides.
fn read_access_log(item: Item<'_>) -> Option<bool> {
    if !item.is_table() {
        return item.boolean().filter(|at| at.value).map(|_| false);
    }
    let mut section = item.section()?;
    let filters = section.take("filters").and_then(Item::boolean).is_some_and(|at| at.value);
    section.finish();
    Some(filters)
}

fn read_paths(mut section: Section<'_>) -> Paths {
    let defaults = Paths::default();
    let paths = Paths {
        encoded_slash: section.take("encoded-slash").and_then(read_encoded_slash).unwrap_or(defaults.encoded_slash),
        merge_slashes: section
            .take("merge-slashes")
            .and_then(Item::boolean)
            .map_or(defaults.merge_slashes, |at| at.value),
    };
    section.finish();
    paths
}

fn read_encoded_slash(item: Item<'_>) -> Option<EncodedSlash> {
    let report = item.report();
    let at = item.string()?;
    match at.value.as_str() {
        "reject" => Some(EncodedSlash::Reject),
        "keep" => Some(EncodedSlash::Keep),
        other => {
            report.at(&at, format!("{other:?} is not a way to treat encoded slashes"), "write \"reject\" or \"keep\"");
            None
        }
    }
}

/// A size that fits in memory.
fn bytes(section: &mut Section<'_>, key: &'static str, range: RangeInclusive<u64>, default: usize) -> usize {
    let size = section.take(key).and_then(|item| item.size(*range.start(), *range.end()));
    size.and_then(|size| usize::try_from(size).ok()).unwrap_or(default)
}

/// A time to wait: some time, but not for ever.
fn wait(section: &mut Section<'_>, key: &'static str, default: Duration) -> Duration {
    let (least, most) = (Duration::from_millis(1), Duration::from_secs(24 * 60 * 60));
    section.take(key).and_then(|item| item.duration(least, most)).unwrap_or(default)
}

/// The strings of a list of conditions. None at all would be easy to misread: as nothing, or as anything.
fn conditions(section: &mut Section<'_>, key: &'static str) -> Option<Vec<At<String>>> {
    section.take(key)?.strings(&format!("leave {key} out to match any"))
}

fn strings(items: Vec<Item<'_>>) -> Vec<At<String>> {
    items.into_iter().filter_map(Item::string).collect()
}

/// The tables of an array of tables.
pub(super) fn tables(item: Option<Item<'_>>) -> Vec<Section<'_>> {
    item.and_then(Item::array).unwrap_or_default().into_iter().filter_map(Item::section).collect()
}

/// The tables of a table by name.
pub(super) fn named<'a, T>(item: Option<Item<'a>>, mut read: impl FnMut(At<String>, Section<'a>) -> T) -> Vec<T> {
    let entries = item.and_then(Item::section).map(Section::entries).unwrap_or_default();
    let table = |(name, item): (String, Item<'a>)| Some(read(item.place().map(|()| name), item.section()?));
    entries.into_iter().filter_map(table).collect()
}
