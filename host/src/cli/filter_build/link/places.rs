//! Where the functions of a program and of its library are in the module that is made of both.

use std::convert::Infallible;

use wasm_encoder::reencode::{Error, Reencode};
use wasmparser::ValType;

use super::parts::{Import, Parts};
use super::{PROGRAM, SDK, WASI};

/// What a function of WASI says that there is not: that there is no such file, or no such function.
const NO_FILE: i32 = 8;
const NO_FUNCTION: i32 = 52;
/// What needs no grant, and so may always be imported.
const LOG: &str = "tollgate:filter/log@0.1.0";

/// Imports come first, then the program's functions, the library's, and those that do nothing.
pub(super) struct Places<'a> {
    pub(super) imports: Vec<Import<'a>>,
    pub(super) stubs: Vec<Stub>,
    program: Vec<u32>,
    library: Vec<u32>,
    types: u32,
    globals: u32,
}

/// A function that gives a number, whatever it is called with.
pub(super) struct Stub {
    pub(super) ty: u32,
    pub(super) result: Option<ValType>,
    pub(super) gives: i32,
}

impl<'a> Places<'a> {
    pub(super) fn new(program: &Parts<'a>, library: &Parts<'a>, interfaces: &[String]) -> Result<Self, String> {
        let types = program.types.len() as u32;
        let is_resolved = |import: &&Import<'_>| import.module == WASI || import.module == SDK;
        let mut imports: Vec<_> = program.imports.iter().filter(|import| !is_resolved(import)).copied().collect();
        for import in library.imports.iter().filter(|import| import.module != PROGRAM) {
            let is_wanted = import.module == LOG || interfaces.iter().any(|name| is_of(import.module, name));
            if is_wanted && place(&imports, import).is_none() {
                imports.push(Import { ty: import.ty + types, ..*import });
            }
        }
        let mut places = Self {
            imports,
            stubs: Vec::new(),
            program: Vec::new(),
            library: Vec::new(),
            types,
            globals: program.globals(),
        };
        let first_of_program = places.imports.len();
        let first_of_library = first_of_program + program.functions.len();
        let first_stub = first_of_library + library.functions.len();
        let own_of_library = |index: u32| first_of_library as u32 + index - library.imports.len() as u32;

        for import in &program.imports {
            let exported = || library.export(import.name).map(own_of_library);
            let found = if is_resolved(&import) { exported() } else { place(&places.imports, import) };
            let result = program.types.get(import.ty as usize).and_then(|ty| ty.results().first().copied());
            let is_missing = import.module == SDK && found.is_none();
            if is_missing {
                return Err(format!("the SDK of the project is newer than the gateway: there is no `{}`", import.name));
            }
            let gives = if import.name.starts_with("fd_") { NO_FILE } else { NO_FUNCTION };
            let index = found.unwrap_or_else(|| places.stub(first_stub, Stub { ty: import.ty, result, gives }));
            places.program.push(index);
        }
        places.program.extend((first_of_program..first_of_library).map(|index| index as u32));

        for import in &library.imports {
            let found = match import.module {
                PROGRAM => program.export(import.name).map(|index| places.of_program(index)),
                _ => place(&places.imports, import),
            };
            if import.module == PROGRAM && found.is_none() {
                return Err(format!("the program does not export `{}`: it is not built with the SDK", import.name));
            }
            let result = library.types.get(import.ty as usize).and_then(|ty| ty.results().first().copied());
            let ty = places.library_type(import.ty);
            let index = found.unwrap_or_else(|| places.stub(first_stub, Stub { ty, result, gives: 0 }));
            places.library.push(index);
        }
        places.library.extend((first_of_library..first_stub).map(|index| index as u32));
        Ok(places)
    }

    fn stub(&mut self, first: usize, stub: Stub) -> u32 {
        self.stubs.push(stub);
        (first + self.stubs.len() - 1) as u32
    }

    pub(super) fn of_program(&self, index: u32) -> u32 {
        self.program.get(index as usize).copied().unwrap_or(index)
    }

    pub(super) fn of_library(&self, index: u32) -> u32 {
        self.library.get(index as usize).copied().unwrap_or(index)
    }

    pub(super) fn library_type(&self, ty: u32) -> u32 {
        ty + self.types
    }

    pub(super) fn program(&self) -> Moved<'_> {
        Moved { functions: &self.program, types: 0, globals: 0 }
    }

    pub(super) fn library(&self) -> Moved<'_> {
        Moved { functions: &self.library, types: self.types, globals: self.globals }
    }
}

/// Whether `tollgate:filter/NAME@0.1.0` is the interface of that name.
fn is_of(module: &str, name: &str) -> bool {
    module.split(['/', '@']).nth(1) == Some(name)
}

fn place(imports: &[Import<'_>], wanted: &Import<'_>) -> Option<u32> {
    let is_it = |import: &Import<'_>| (import.module, import.name) == (wanted.module, wanted.name);
    imports.iter().position(is_it).map(|index| index as u32)
}

/// Writes a part of a module for where it is in the other one.
pub(super) struct Moved<'a> {
    functions: &'a [u32],
    types: u32,
    globals: u32,
}

impl Reencode for Moved<'_> {
    type Error = Infallible;

    fn function_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(self.functions.get(index as usize).copied().unwrap_or(index))
    }

    fn type_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(index + self.types)
    }

    fn global_index(&mut self, index: u32) -> Result<u32, Error> {
        Ok(index + self.globals)
    }
}
