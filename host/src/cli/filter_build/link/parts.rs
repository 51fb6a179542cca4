//! A module in parts, as far as linking is concerned with them.

use wasmparser::{
    BinaryReaderError, CompositeInnerType, Data, DataKind, ElementSectionReader, Export, FuncType, FunctionBody,
    GlobalSectionReader, KnownCustom, MemorySectionReader, Name, Operator, Parser, Payload, TableSectionReader,
    TypeRef,
};

/// The parts of a module.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) types: Vec<FuncType>,
    /// Of functions: nothing else is imported, but the library's memory.
    pub(super) imports: Vec<Import<'a>>,
    /// The types of the functions that are its own.
    pub(super) functions: Vec<u32>,
    pub(super) tables: Vec<TableSectionReader<'a>>,
    pub(super) memories: Vec<MemorySectionReader<'a>>,
    pub(super) global_sections: Vec<GlobalSectionReader<'a>>,
    pub(super) exports: Vec<Export<'a>>,
    pub(super) elements: Vec<ElementSectionReader<'a>>,
    pub(super) bodies: Vec<FunctionBody<'a>>,
    pub(super) data: Vec<Data<'a>>,
    pub(super) names: Vec<(u32, &'a str)>,
    /// Sections that stay as they are.
    pub(super) customs: Vec<(&'a str, &'a [u8])>,
}

/// An imported function.
#[derive(Clone, Copy)]
pub(super) struct Import<'a> {
    pub(super) module: &'a str,
    pub(super) name: &'a str,
    pub(super) ty: u32,
}

impl<'a> Parts<'a> {
    pub(super) fn read(module: &'a [u8]) -> Result<Self, BinaryReaderError> {
        let mut parts = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            parts.add(payload?)?;
        }
        Ok(parts)
    }

    pub(super) fn globals(&self) -> u32 {
        self.global_sections.iter().map(wasmparser::SectionLimited::count).sum()
    }

    fn add(&mut self, payload: Payload<'a>) -> Result<(), BinaryReaderError> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.into_types() {
                        if let CompositeInnerType::Func(ty) = ty.composite_type.inner {
                            self.types.push(ty);
                        }
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    if let TypeRef::Func(ty) = import.ty {
                        self.imports.push(Import { module: import.module, name: import.name, ty });
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.functions.push(ty?);
                }
            }
            Payload::TableSection(section) => self.tables.push(section),
            Payload::MemorySection(section) => self.memories.push(section),
            Payload::GlobalSection(section) => self.global_sections.push(section),
            Payload::ExportSection(section) => {
                for export in section {
                    self.exports.push(export?);
                }
            }
            Payload::ElementSection(section) => self.elements.push(section),
            Payload::CodeSectionEntry(body) => self.bodies.push(body),
            Payload::DataSection(section) => {
                for data in section {
                    self.data.push(data?);
                }
            }
            Payload::CustomSection(section) => match section.as_known() {
                KnownCustom::Name(names) => {
                    for name in names {
                        if let Name::Function(map) = name? {
                            for naming in map {
                                let naming = naming?;
                                self.names.push((naming.index, naming.name));
                            }
                        }
                    }
                }
                KnownCustom::Producers(_) => self.customs.push((section.name(), section.data())),
                _ => {}
            },
            _ => {}
        }
        Ok(())
    }
}

/// Where an active segment of data begins.
pub(super) fn start_of(data: &Data<'_>) -> Option<u32> {
    let DataKind::Active { offset_expr, .. } = &data.kind else { return None };
    match offset_expr.get_operators_reader().read() {
        Ok(Operator::I32Const { value }) => Some(value.cast_unsigned()),
        _ => None,
    }
}
