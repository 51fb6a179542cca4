//! What is written in the metadata of a core module, looked at without putting it together: the names of interfaces.

use wasmparser::{
    ComponentExternName, ComponentType, ComponentTypeDeclaration, ComponentTypeRef, InstanceTypeDeclaration, Parser,
    Payload,
};

/// The longest section of metadata that is read, in bytes. That of a filter has less than 4 KiB.
const MAX_METADATA: usize = 16 << 10;

/// The interfaces that are imported or exported, as they are called.
pub(super) fn interfaces(module: &[u8]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CustomSection(section) = payload.map_err(|error| error.to_string())? else { continue };
        if section.name().starts_with("component-type") {
            look(section.data(), &mut names)?;
        }
    }
    Ok(names)
}

/// Looks at one section, which is a component that consists of types.
fn look(metadata: &[u8], names: &mut Vec<String>) -> Result<(), String> {
    if metadata.len() > MAX_METADATA {
        return Err(format!("it has {} bytes, more than the {MAX_METADATA} that are read", metadata.len()));
    }
    if !metadata.starts_with(b"\0asm") {
        return Err("it is not of a form that this release reads".to_owned());
    }
    for payload in Parser::new(0).parse_all(metadata) {
        if let Payload::ComponentTypeSection(types) = payload.map_err(|error| error.to_string())? {
            for ty in types {
                descend(&ty.map_err(|error| error.to_string())?, names);
            }
        }
    }
    Ok(())
}

fn descend(ty: &ComponentType<'_>, names: &mut Vec<String>) {
    match ty {
        ComponentType::Component(declarations) => {
            for declaration in declarations {
                match declaration {
                    ComponentTypeDeclaration::Type(ty) => descend(ty, names),
                    ComponentTypeDeclaration::Import(import) => note(&import.name, import.ty, names),
                    ComponentTypeDeclaration::Export { name, ty } => note(name, *ty, names),
                    ComponentTypeDeclaration::CoreType(_) | ComponentTypeDeclaration::Alias(_) => {}
                }
            }
        }
        ComponentType::Instance(declarations) => {
            for declaration in declarations {
                match declaration {
                    InstanceTypeDeclaration::Type(ty) => descend(ty, names),
                    InstanceTypeDeclaration::Export { name, ty } => note(name, *ty, names),
                    InstanceTypeDeclaration::CoreType(_) | InstanceTypeDeclaration::Alias(_) => {}
                }
            }
        }
        ComponentType::Defined(_) | ComponentType::Func(_) | ComponentType::Resource { .. } => {}
    }
}

/// Whatever is said of a name beyond itself makes it another.
fn note(name: &ComponentExternName<'_>, ty: ComponentTypeRef, names: &mut Vec<String>) {
    if matches!(ty, ComponentTypeRef::Instance(_)) {
        let more = [name.implements, name.version_suffix].into_iter().flatten().map(|more| format!(" ({more})"));
        names.push(name.name.to_owned() + &more.collect::<String>());
    }
}
