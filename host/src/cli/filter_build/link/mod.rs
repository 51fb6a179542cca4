//! Links what a compiler has made with a library that takes the place of an operating system: what the program imports from
//! `wasi_snapshot_preview1`, or from its SDK, becomes functions of one module.

mod parts;
mod places;

use std::fmt::Display;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, CustomSection, DataCountSection, DataSection, ElementSection, EntityType, ExportSection, Function,
    FunctionSection, GlobalSection, ImportSection, MemorySection, Module, NameMap, NameSection, TableSection,
    TypeSection,
};
use wasmparser::{ExternalKind, ValType};

use self::parts::Parts;
use self::places::{Places, Stub};

/// What a program imports that is the library's business.
const WASI: &str = "wasi_snapshot_preview1";
/// Functions of the library that the SDK calls.
const SDK: &str = "tollgate:go";
/// What the library imports from the program.
const PROGRAM: &str = "program";
/// What of the library is for the gateway.
const FOR_THE_GATEWAY: [&str; 2] = ["cabi_realloc", "tollgate:inbox"];
/// A function of the program that the library has a body for, and which it is.
const ENDS: (&str, &str) = ("runtime.abort", "abort");
/// What of the program is for the library alone.
const FOR_THE_LIBRARY: &str = "tollgate:room";

/// One module of both. Of the library's own imports it has those that the program has too, and those of `interfaces`; what calls
/// another one gets zero.
pub(super) fn link(program: &[u8], library: &[u8], interfaces: &[String]) -> Result<Vec<u8>, String> {
    let program = Parts::read(program).map_err(|error| format!("the compiler has made no module: {error}"))?;
    let library = Parts::read(library).map_err(unreadable)?;
    program.check_room_for(&library)?;
    let places = Places::new(&program, &library, interfaces)?;
    encode(&program, &library, &places).map_err(unreadable)
}

fn unreadable(error: impl Display) -> String {
    format!("the module cannot be linked: {error}")
}

/// Writes all sections, each with the program's part first.
fn encode(program: &Parts<'_>, library: &Parts<'_>, places: &Places<'_>) -> Result<Vec<u8>, reencode::Error> {
    let (mut ours, mut theirs) = (places.program(), places.library());
    let mut module = Module::new();

    let mut types = TypeSection::new();
    for ty in &program.types {
        types.ty().func_type(&ours.func_type(ty.clone())?);
    }
    for ty in &library.types {
        types.ty().func_type(&theirs.func_type(ty.clone())?);
    }
    module.section(&types);

    let mut imports = ImportSection::new();
    for import in &places.imports {
        imports.import(import.module, import.name, EntityType::Function(import.ty));
    }
    module.section(&imports);

    let mut functions = FunctionSection::new();
    let theirs_are = library.functions.iter().map(|ty| places.library_type(*ty));
    for ty in program.functions.iter().copied().chain(theirs_are).chain(places.stubs.iter().map(|stub| stub.ty)) {
        functions.function(ty);
    }
    module.section(&functions);

    let mut tables = TableSection::new();
    for section in &program.tables {
        ours.parse_table_section(&mut tables, section.clone())?;
    }
    module.section(&tables);
    let mut memories = MemorySection::new();
    for section in &program.memories {
        ours.parse_memory_section(&mut memories, section.clone())?;
    }
    module.section(&memories);

    let mut globals = GlobalSection::new();
    for section in &program.global_sections {
        ours.parse_global_section(&mut globals, section.clone())?;
    }
    for section in &library.global_sections {
        theirs.parse_global_section(&mut globals, section.clone())?;
    }
    module.section(&globals);

    let mut exports = ExportSection::new();
    for export in program.exports.iter().filter(|export| export.name != FOR_THE_LIBRARY) {
        ours.parse_export(&mut exports, *export)?;
    }
    for export in library.exports.iter().filter(|export| FOR_THE_GATEWAY.contains(&export.name)) {
        theirs.parse_export(&mut exports, *export)?;
    }
    module.section(&exports);

    let mut elements = ElementSection::new();
    for section in &program.elements {
        ours.parse_element_section(&mut elements, section.clone())?;
    }
    module.section(&elements);

    let mut data = DataSection::new();
    for segment in &program.data {
        ours.parse_data(&mut data, segment.clone())?;
    }
    for segment in &library.data {
        theirs.parse_data(&mut data, segment.clone())?;
    }
    module.section(&DataCountSection { count: data.len() });

    let mut code = CodeSection::new();
    let ends = library.export(ENDS.1).zip(program.own(ENDS.0));
    for (number, body) in program.bodies.iter().enumerate() {
        if let Some((by, _)) = ends.filter(|(_, place)| *place == number) {
            code.function(&instead(places.of_library(by)));
        } else {
            ours.parse_function_body(&mut code, body.clone())?;
        }
    }
    for body in &library.bodies {
        theirs.parse_function_body(&mut code, body.clone())?;
    }
    for stub in &places.stubs {
        code.function(&body_of(stub));
    }
    module.section(&code);
    module.section(&data);

    for (name, content) in &program.customs {
        module.section(&CustomSection { name: (*name).into(), data: (*content).into() });
    }
    module.section(&names(program, library, places));
    Ok(module.finish())
}

/// Calls a function that does not return.
fn instead(function: u32) -> Function {
    let mut body = Function::new([]);
    body.instructions().call(function).unreachable().end();
    body
}

/// Gives a number, or nothing.
fn body_of(stub: &Stub) -> Function {
    let mut body = Function::new([]);
    let mut code = body.instructions();
    match stub.result {
        Some(ValType::I64) => code.i64_const(stub.gives.into()).end(),
        Some(_) => code.i32_const(stub.gives).end(),
        None => code.end(),
    };
    body
}

/// The names of functions, for faults.
fn names(program: &Parts<'_>, library: &Parts<'_>, places: &Places<'_>) -> NameSection {
    let ours = program.names.iter().filter(|(index, _)| *index as usize >= program.imports.len());
    let mut named: Vec<_> = ours.map(|(index, name)| (places.of_program(*index), *name)).collect();
    let theirs = library.names.iter().filter(|(index, _)| *index as usize >= library.imports.len());
    named.extend(theirs.map(|(index, name)| (places.of_library(*index), *name)));
    named.sort_unstable();
    let mut map = NameMap::new();
    named.iter().for_each(|(index, name)| map.append(*index, name));
    let mut section = NameSection::new();
    section.functions(&map);
    section
}

impl Parts<'_> {
    /// The library's data lies below the program's.
    fn check_room_for(&self, library: &Self) -> Result<(), String> {
        let first = self.data.iter().filter_map(parts::start_of).min().unwrap_or(u32::MAX);
        let end = library.data.iter().filter_map(|data| Some(parts::start_of(data)? + data.data.len() as u32)).max();
        let memories = self.memories.iter().map(wasmparser::SectionLimited::count).sum::<u32>();
        match end.unwrap_or_default() <= first && memories == 1 {
            true => Ok(()),
            false => Err("this version of the compiler lays memory out in a way that the gateway does not know; use an older one".into()),
        }
    }

    /// The number of a function among those that are the module's own, by its name.
    fn own(&self, wanted: &str) -> Option<usize> {
        let (index, _) = self.names.iter().find(|(_, name)| *name == wanted)?;
        (*index as usize).checked_sub(self.imports.len())
    }

    fn export(&self, wanted: &str) -> Option<u32> {
        let is_it = |export: &&wasmparser::Export<'_>| export.name == wanted && export.kind == ExternalKind::Func;
        self.exports.iter().find(is_it).map(|export| export.index)
    }
}

#[cfg(test)]
mod tests;
