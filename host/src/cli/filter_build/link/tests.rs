use wasmparser::Validator;

use super::*;

const LIBRARY: &str = r#"(module
    (import "program" "memory" (memory 0))
    (import "program" "tollgate:room" (func $room (param i32) (result i32)))
    (import "tollgate:filter/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
    (import "tollgate:filter/clock@0.1.0" "now" (func $now (result i64)))
    (data (i32.const 16) "text")
    (global $top (mut i32) (i32.const 0))
    (global (export "tollgate:inbox") i32 (i32.const 16))
    (func (export "clock_time_get") (param i32 i64 i32) (result i32)
        (i64.store (local.get 2) (call $now)) (global.set $top (i32.const 1)) (i32.const 0))
    (func $end (export "abort") unreachable)
    (func (export "mark") (result i32) (global.get $top))
    (func $cabi_realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (call $log (i32.const 0) (i32.const 16) (i32.const 4) (i32.const 0) (i32.const 0))
        (call $room (local.get 3))))"#;

fn program(more: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
        (import "tollgate:filter/store@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))
        {more}
        (memory (export "memory") 1)
        (global $sp (mut i32) (i32.const 5))
        (table 2 funcref)
        (elem (i32.const 0) func $run $close)
        (data (i32.const 64) "data")
        (func $run (export "run") (param i32) (result i32)
            (call $get (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
            (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 0)))
            (global.set $sp (i32.const 6))
            (call $close (i32.const 3)))
        (func $runtime.abort (param i32) (result i32) (i32.const 7))
        (func (export "tollgate:room") (param i32) (result i32) (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0))))"#
    )
}

fn linked(program: &str, interfaces: &[&str]) -> Result<Vec<u8>, String> {
    let interfaces: Vec<_> = interfaces.iter().map(|name| (*name).to_owned()).collect();
    link(&wat::parse_str(program).unwrap(), &wat::parse_str(LIBRARY).unwrap(), &interfaces)
}

fn imports(module: &[u8]) -> Vec<String> {
    let parts = Parts::read(module).unwrap();
    parts.imports.iter().map(|import| format!("{}#{}", import.module, import.name)).collect()
}

#[test]
fn what_is_linked_is_valid_and_imports_nothing_of_wasi() {
    let module = linked(&program(""), &[]).unwrap();
    Validator::new().validate_all(&module).unwrap();
    assert_eq!(imports(&module), ["tollgate:filter/store@0.1.0#get", "tollgate:filter/log@0.1.0#write"]);
    let parts = Parts::read(&module).unwrap();
    let exports: Vec<_> = parts.exports.iter().map(|export| export.name).collect();
    assert_eq!(exports, ["memory", "run", "tollgate:inbox", "cabi_realloc"]);
    let names: Vec<_> = parts.names.iter().map(|(_, name)| *name).collect();
    assert_eq!(names, ["run", "runtime.abort", "end", "cabi_realloc"]);
    let ends = &parts.bodies[parts.own("runtime.abort").unwrap()];
    assert!(matches!(ends.get_operators_reader().unwrap().read(), Ok(wasmparser::Operator::Call { .. })));
}

#[test]
fn an_interface_is_imported_where_it_is_asked_for() {
    let module = linked(&program(""), &["clock"]).unwrap();
    Validator::new().validate_all(&module).unwrap();
    assert!(imports(&module).contains(&"tollgate:filter/clock@0.1.0#now".to_owned()));
}

#[test]
fn what_does_not_belong_together_is_said() {
    let newer = program("(import \"tollgate:go\" \"more\" (func))");
    assert!(linked(&newer, &[]).unwrap_err().contains("newer than the gateway: there is no `more`"));
    let other = program("").replace("tollgate:room", "room");
    assert!(linked(&other, &[]).unwrap_err().contains("does not export `tollgate:room`"));
    let low = program("").replace("(i32.const 64)", "(i32.const 8)");
    assert!(linked(&low, &[]).unwrap_err().contains("lays memory out"));
    assert!(linked(&program("(import \"tollgate:go\" \"mark\" (func (result i32)))"), &[]).is_ok());
}
