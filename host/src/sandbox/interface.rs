//! Whether a core module means by its metadata what the gateway means by `wit/`: the same functions of the same shapes. Only
//! then can its exports and imports be called by the canonical ABI.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::LazyLock;

use wit_component::metadata;
use wit_parser::{Resolve, Type, TypeDefKind, WorldId, WorldItem, WorldKey};

use super::{large_stack, written};

/// The interface of this release, as one text.
const WIT: &str = concat!(
    include_str!("../../../wit/world.wit"),
    include_str!("../../../wit/types.wit"),
    include_str!("../../../wit/callout.wit"),
    include_str!("../../../wit/clock.wit"),
    include_str!("../../../wit/exchange.wit"),
    include_str!("../../../wit/hooks.wit"),
    include_str!("../../../wit/limiter.wit"),
    include_str!("../../../wit/log.wit"),
    include_str!("../../../wit/metrics.wit"),
    include_str!("../../../wit/store.wit"),
    include_str!("../../../wit/random.wit"),
    include_str!("../../../wit/secrets.wit"),
);

/// The functions of a world by the names that core modules give them, with the shapes of their types.
type Functions = BTreeMap<String, String>;

static OURS: LazyLock<Functions> = LazyLock::new(|| {
    let mut resolve = Resolve::default();
    // A story holds the text to being valid, and every filter is checked against it.
    let package = resolve.push_str("tollgate.wit", WIT).ok();
    let world = package.and_then(|package| resolve.select_world(&[package], None).ok());
    world.map(|world| functions(&resolve, world)).unwrap_or_default()
});

/// What keeps a core module from being a filter.
pub(super) enum Mismatch {
    NoMetadata(String),
    /// It imports this.
    Import(String),
    /// It has other types, or not all exports.
    World(String),
}

/// Compares a core module's metadata with the interface of this release. The reader of metadata panics over some.
pub(super) fn check(module: &[u8], hooks: &str) -> Result<(), Mismatch> {
    let compared = large_stack::run(|| compare(module, hooks));
    compared.unwrap_or_else(|reason| Err(Mismatch::NoMetadata(format!("it cannot be read: {reason}"))))
}

fn compare(module: &[u8], hooks: &str) -> Result<(), Mismatch> {
    check_interfaces(module, hooks)?;
    let (_, theirs) = metadata::decode(module).map_err(|error| Mismatch::NoMetadata(format!("{error:#}")))?;
    let exports = &theirs.resolve.worlds[theirs.world].exports;
    if !exports.keys().any(|key| name(&theirs.resolve, key) == hooks) {
        return Err(lacks(hooks));
    }
    for (function, shape) in functions(&theirs.resolve, theirs.world) {
        match OURS.get(&function) {
            Some(ours) if *ours == shape => {}
            Some(_) => return Err(Mismatch::World(format!("`{function}` has other types there"))),
            None => return Err(Mismatch::Import(function.split('#').next().unwrap_or_default().to_owned())),
        }
    }
    Ok(())
}

/// Before anything else, as the reader of metadata goes from package to package by calling itself, and over a circle of them
/// without end: no interfaces but those of one package. None that has another is a filter.
fn check_interfaces(module: &[u8], hooks: &str) -> Result<(), Mismatch> {
    let interfaces = written::interfaces(module).map_err(Mismatch::NoMetadata)?;
    let is_ours = |name: &String| package_of(name) == package_of(hooks);
    match interfaces.iter().find(|name| !is_ours(name)) {
        None => Ok(()),
        Some(_) if !interfaces.iter().any(|name| name == hooks) => Err(lacks(hooks)),
        Some(other) => Err(Mismatch::Import(other.clone())),
    }
}

/// The package of an interface and its version; nothing if it is not of one.
fn package_of(interface: &str) -> Option<(&str, &str)> {
    let (package, rest) = interface.split_once('/')?;
    Some((package, rest.split_once('@')?.1))
}

fn lacks(hooks: &str) -> Mismatch {
    Mismatch::World(format!("it does not export {hooks}"))
}

fn functions(resolve: &Resolve, world: WorldId) -> Functions {
    let world = &resolve.worlds[world];
    let mut functions = Functions::new();
    for (key, item) in world.imports.iter().chain(&world.exports) {
        let name = name(resolve, key);
        match item {
            WorldItem::Interface { id, .. } => {
                for function in resolve.interfaces[*id].functions.values() {
                    functions.insert(format!("{name}#{}", function.name), shape_of(resolve, function));
                }
            }
            WorldItem::Function(function) => drop(functions.insert(name, shape_of(resolve, function))),
            WorldItem::Type { .. } => {}
        }
    }
    functions
}

fn name(resolve: &Resolve, key: &WorldKey) -> String {
    resolve.name_world_key(key)
}

fn shape_of(resolve: &Resolve, function: &wit_parser::Function) -> String {
    let mut shape = String::new();
    for parameter in &function.params {
        shape_type(resolve, &parameter.ty, &mut shape);
        shape.push(',');
    }
    shape.push_str("->");
    if let Some(result) = &function.result {
        shape_type(resolve, result, &mut shape);
    }
    shape
}

/// The structure of a type, with the names of its fields and cases and without those of types.
fn shape_type(resolve: &Resolve, ty: &Type, shape: &mut String) {
    let Type::Id(id) = ty else {
        // Writing to memory does not fail.
        let _ = write!(shape, "{ty:?}");
        return;
    };
    let named = |items: Vec<(&str, Option<&Type>)>, shape: &mut String| {
        for (name, ty) in items {
            let _ = write!(shape, "{name}:");
            if let Some(ty) = ty {
                shape_type(resolve, ty, shape);
            }
            shape.push(',');
        }
    };
    let kind = &resolve.types[*id].kind;
    if let TypeDefKind::Type(ty) = kind {
        return shape_type(resolve, ty, shape);
    }
    let _ = write!(shape, "{}(", kind.as_str());
    match kind {
        TypeDefKind::Record(record) => {
            named(record.fields.iter().map(|field| (&*field.name, Some(&field.ty))).collect(), shape);
        }
        TypeDefKind::Variant(variant) => {
            named(variant.cases.iter().map(|case| (&*case.name, case.ty.as_ref())).collect(), shape);
        }
        TypeDefKind::Flags(flags) => named(flags.flags.iter().map(|flag| (&*flag.name, None)).collect(), shape),
        TypeDefKind::Enum(cases) => named(cases.cases.iter().map(|case| (&*case.name, None)).collect(), shape),
        TypeDefKind::Tuple(tuple) => named(tuple.types.iter().map(|ty| ("", Some(ty))).collect(), shape),
        TypeDefKind::Option(ty) | TypeDefKind::List(ty) => named(vec![("", Some(ty))], shape),
        TypeDefKind::Result(result) => {
            named(vec![("ok", result.ok.as_ref()), ("error", result.err.as_ref())], shape);
        }
        // Nothing else is in the interface, so whatever has it differs.
        _ => shape.push_str("other"),
    }
    shape.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interface_of_this_release_is_read() {
        let names: Vec<_> = OURS.keys().map(String::as_str).collect();
        assert_eq!(names.len(), 35, "{names:?}");
        assert!(names.contains(&"tollgate:filter/hooks@0.1.0#on-request-head"));
        assert_eq!(
            OURS["tollgate:filter/log@0.1.0#write"],
            "enum(error:,warn:,info:,debug:,),String,list(:record(name:String,value:String,),),->",
        );
    }
}
