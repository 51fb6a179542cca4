//! How deep the types of a component are nested in one another, found out without going down into them: whoever validates or
//! compiles them calls itself for each level, and nobody survives the end of a stack.

use wasmparser::{BinaryReader, BinaryReaderError, ComponentType, ComponentTypeDeclaration, Parser, Payload};

/// How many levels of component and instance types are read. Whatever a world in WIT becomes has three.
const MAX_LEVELS: usize = 32;

/// The first bytes of the types that have others in them, and of a declaration that is a type.
const COMPONENT: u8 = 0x41;
const INSTANCE: u8 = 0x42;
const TYPE: u8 = 0x01;

/// Whether a component's types are nested no deeper than is read.
pub(super) fn check(component: &[u8]) -> Result<(), String> {
    for payload in Parser::new(0).parse_all(component) {
        let Payload::ComponentTypeSection(section) = payload.map_err(said)? else { continue };
        let range = section.range();
        let start = range.start;
        let bytes = component.get(range).ok_or("a section of types is out of bounds")?;
        walk(BinaryReader::new(bytes, start))?;
    }
    Ok(())
}

/// Reads one section. For each level there is the number of items that are still to come there: types at the first, and
/// declarations below.
fn walk(mut reader: BinaryReader<'_>) -> Result<(), String> {
    let mut levels = vec![reader.read_var_u32().map_err(said)?];
    while let Some(left) = levels.last_mut() {
        if *left == 0 {
            levels.pop();
            continue;
        }
        *left -= 1;
        let is_declaration = levels.len() > 1;
        if let Some(declarations) = item(&mut reader, is_declaration).map_err(said)? {
            if levels.len() == MAX_LEVELS {
                let at = reader.original_position();
                return Err(format!("its types are nested more than {MAX_LEVELS} levels deep (at offset {at:#x})"));
            }
            levels.push(declarations);
        }
    }
    Ok(())
}

/// Reads a type or a declaration: all of it, or, if there are others in it, up to the first; then says how many there are.
fn item(reader: &mut BinaryReader<'_>, is_declaration: bool) -> Result<Option<u32>, BinaryReaderError> {
    let mut ahead = reader.clone();
    let mut first = ahead.read_u8()?;
    let is_type = !is_declaration || first == TYPE;
    if is_declaration && is_type {
        first = ahead.read_u8()?;
    }
    if is_type && (first == COMPONENT || first == INSTANCE) {
        *reader = ahead;
        return reader.read_var_u32().map(Some);
    }
    match is_declaration {
        true => drop(reader.read::<ComponentTypeDeclaration<'_>>()?),
        false => drop(reader.read::<ComponentType<'_>>()?),
    }
    Ok(None)
}

fn said(error: BinaryReaderError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component of three types, of which the second has another in it, and so on.
    fn nested(levels: u8) -> Vec<u8> {
        let types = [b"\x03\x79", &*b"\x41\x01\x01\x42\x01\x01".repeat(usize::from(levels) / 2), b"\x73\x79"].concat();
        [b"\0asm\x0d\0\x01\0\x07", &[types.len() as u8 | 0x80, (types.len() >> 7) as u8][..], &types].concat()
    }

    #[test]
    fn types_are_counted_by_their_level() {
        for (levels, is_read) in [(2, true), (30, true), (32, false), (250, false)] {
            assert_eq!(check(&nested(levels)).is_ok(), is_read, "{levels}");
        }
    }

    #[test]
    fn everything_that_a_type_can_be_is_passed_over() {
        let component = wat::parse_str(
            r#"(component
                (core type (module (import "a" "b" (func))))
                (type (record (field "a" u32) (field "b" (list string))))
                (type (func (param "a" (option u8)) (result (result string (error u32)))))
                (type (resource (rep i32)))
                (type (component
                    (core type (module))
                    (type $r (tuple u8 (list char)))
                    (import "x:y/z" (instance (export "r" (type (sub resource))) (export "f" (func))))
                    (alias outer 1 0 (type))
                    (export "t" (type (eq $r)))))
                (component (type (instance (type (enum "a" "b")) (export "f" (func))))))"#,
        );
        assert_eq!(check(&component.unwrap()), Ok(()));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let component = wat::parse_str("(component (type (instance (type u32))))").unwrap();
        assert!((9..component.len() - 1).any(|end| check(&component[..end]).is_err()));
        assert!(check(&[&component[..8], b"\x07\x02\x01\x42"].concat()).is_err());
    }
}
