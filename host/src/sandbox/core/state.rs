//! What an instance of a core module can change, and so what has to be put back for it to be as it was: its memory, and its
//! mutable globals. The latter are not exported by themselves; the module is given exports for them before it is compiled.

use std::borrow::Cow;

use wasm_encoder::{ExportKind, ExportSection, RawSection};
use wasmparser::{ExternalKind, Operator, Parser, Payload, TypeRef, ValType};
use wasmtime::{Global, Instance, Store};

use crate::sandbox::instance::HostState;

/// How the exports begin that a module is given; a number follows. No module of an author may have one.
const PREFIX: &str = "tollgate:global/";

/// The module with its mutable globals exported. As it was if an instance can change more than memory and globals: then no
/// instance is ever put back to an earlier state.
///
/// # Errors
/// If the module has such an export of its own, or cannot be read.
pub(in crate::sandbox) fn expose(module: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let readable = |error: wasmparser::BinaryReaderError| error.to_string();
    let changes = Changes::of(module).map_err(readable)?;
    if changes.has_our_names {
        return Err(format!("it has an export that begins with `{PREFIX}`, which is the gateway's"));
    }
    if !changes.are_simple() {
        return Ok(Cow::Borrowed(module));
    }
    let mut exposed = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(readable)?;
        if let Payload::ExportSection(section) = &payload {
            let mut exports = ExportSection::new();
            for export in section.clone() {
                let export = export.map_err(readable)?;
                exports.export(export.name, kind(export.kind)?, export.index);
            }
            for (number, global) in changes.globals.iter().enumerate() {
                exports.export(&format!("{PREFIX}{number}"), ExportKind::Global, *global);
            }
            exposed.section(&exports);
        } else if let Some((id, range)) = payload.as_section() {
            exposed.section(&RawSection { id, data: &module[range] });
        }
    }
    Ok(Cow::Owned(exposed.finish()))
}

/// Whether an instance of the module can be put back to an earlier state: whether it has been exposed.
pub(in crate::sandbox) fn is_exposed(module: &wasmtime::Module) -> bool {
    module.exports().any(|export| export.name().starts_with(PREFIX))
}

/// The globals that have been exported.
pub(super) fn globals(store: &mut Store<HostState>, instance: &Instance) -> Vec<Global> {
    (0..).map_while(|number: usize| instance.get_global(&mut *store, &format!("{PREFIX}{number}"))).collect()
}

/// What the instances of a module can change.
#[derive(Default)]
struct Changes {
    /// The mutable globals.
    globals: Vec<u32>,
    memories: u32,
    /// Imported state, references in globals, tables, segments that can be dropped.
    more: bool,
    has_our_names: bool,
}

impl Changes {
    fn of(module: &[u8]) -> wasmparser::Result<Self> {
        let mut changes = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            changes.look_at(payload?)?;
        }
        Ok(changes)
    }

    fn look_at(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    self.more |= !matches!(import?.ty, TypeRef::Func(_));
                }
            }
            Payload::MemorySection(section) => self.memories += section.count(),
            Payload::GlobalSection(section) => {
                for (index, global) in (0..).zip(section) {
                    let ty = global?.ty;
                    if ty.mutable {
                        self.globals.push(index);
                        self.more |= matches!(ty.content_type, ValType::Ref(_));
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    self.has_our_names |= export?.name.starts_with(PREFIX);
                }
            }
            Payload::CodeSectionEntry(body) => {
                let mut operators = body.get_operators_reader()?;
                while !self.more && !operators.eof() {
                    self.more = !keeps_tables_and_segments(&operators.read()?);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// One memory, and globals of numbers: without any global the exports would not show that the module was looked at.
    fn are_simple(&self) -> bool {
        !self.more && self.memories == 1 && !self.globals.is_empty()
    }
}

fn keeps_tables_and_segments(operator: &Operator<'_>) -> bool {
    !matches!(
        operator,
        Operator::TableSet { .. }
            | Operator::TableGrow { .. }
            | Operator::TableFill { .. }
            | Operator::TableInit { .. }
            | Operator::TableCopy { .. }
            | Operator::ElemDrop { .. }
            | Operator::DataDrop { .. }
    )
}

fn kind(kind: ExternalKind) -> Result<ExportKind, String> {
    match kind {
        ExternalKind::Func => Ok(ExportKind::Func),
        ExternalKind::Table => Ok(ExportKind::Table),
        ExternalKind::Memory => Ok(ExportKind::Memory),
        ExternalKind::Global => Ok(ExportKind::Global),
        ExternalKind::Tag => Ok(ExportKind::Tag),
        ExternalKind::FuncExact => Err("it exports a function in a way that is not supported".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposed(text: &str) -> Vec<String> {
        let engine = wasmtime::Engine::default();
        let bytes = wasm(text);
        let module = wasmtime::Module::from_binary(&engine, &expose(&bytes).unwrap()).unwrap();
        let names = module.exports().map(|export| export.name().to_owned());
        names.filter(|name| name.starts_with(PREFIX)).collect()
    }

    fn wasm(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn mutable_globals_are_exported_and_others_are_not() {
        let text = r#"(module (memory (export "memory") 1)
            (global (mut i32) (i32.const 1)) (global i32 (i32.const 2)) (global (mut f64) (f64.const 3)))"#;
        assert_eq!(exposed(text), ["tollgate:global/0", "tollgate:global/1"]);
    }

    #[test]
    fn what_can_change_more_is_left_as_it_is() {
        let memory = r#"(memory (export "memory") 1) (global (mut i32) (i32.const 1))"#;
        for more in [
            "(memory 1)",
            "(import \"a\" \"b\" (global (mut i32)))",
            "(global (mut funcref) (ref.null func))",
            "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))",
            "(table 1 funcref) (func (drop (table.grow (ref.null func) (i32.const 1))))",
            "(data $d \"x\") (func (data.drop $d))",
            "(elem $e func) (func (elem.drop $e))",
        ] {
            let module =
                if more.starts_with("(import") { format!("{more} {memory}") } else { format!("{memory} {more}") };
            assert_eq!(exposed(&format!("(module {module})")), [""; 0], "{more}");
        }
        assert_eq!(exposed(r#"(module (memory (export "memory") 1))"#), [""; 0]);
    }

    #[test]
    fn the_names_are_the_gateway_s() {
        let module = wasm(r#"(module (memory (export "tollgate:global/0") 1))"#);
        assert!(expose(&module).unwrap_err().contains("which is the gateway's"));
    }
}
