//! What an expression looks at: the paths of names that it spells, such as `request.headers["x-user"]`.

use cel::IdedExpr;
use cel::common::ast::operators::{IN, INDEX};
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue};

/// Names from the outside in: a variable, a field of it, and so on.
pub(crate) type Path<'a> = Vec<&'a str>;

/// What stands where a variable could and is none: types, and the namespace of functions.
const NO_VARIABLES: [&str; 12] =
    ["bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type", "dyn", "base64"];

/// All paths that an expression spells.
pub(crate) fn of(expression: &IdedExpr) -> Vec<Path<'_>> {
    let mut walk = Walk::default();
    walk.expression(expression);
    walk.found
}

#[derive(Default)]
struct Walk<'a> {
    found: Vec<Path<'a>>,
    /// What macros such as `exists` have named.
    bound: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn expression(&mut self, expression: &'a IdedExpr) {
        if let Some(path) = path(expression) {
            return self.path(path);
        }
        match &expression.expr {
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element)),
            Expr::Map(map) => self.entries(&map.entries),
            Expr::Struct(made) => self.entries(&made.entries),
            Expr::Select(select) => self.expression(&select.operand),
            Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        }
    }

    fn path(&mut self, path: Path<'a>) {
        let is_variable = path.first().is_some_and(|root| !self.bound.contains(root) && !NO_VARIABLES.contains(root));
        if is_variable {
            self.found.push(path);
        }
    }

    /// To ask whether a name is in a map is to look at what it stands for.
    fn call(&mut self, call: &'a CallExpr) {
        if let (IN, [name, map]) = (call.func_name.as_str(), call.args.as_slice())
            && let (Some(name), Some(mut path)) = (literal(name), path(map))
            && matches!(path.as_slice(), ["request", "headers"] | ["identity", "claims"])
        {
            path.push(name);
            return self.path(path);
        }
        call.target.iter().for_each(|target| self.expression(target));
        call.args.iter().for_each(|argument| self.expression(argument));
    }

    fn comprehension(&mut self, comprehension: &'a ComprehensionExpr) {
        self.expression(&comprehension.iter_range);
        self.expression(&comprehension.accu_init);
        let before = self.bound.len();
        self.bound.extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
        self.bound.extend(comprehension.iter_var2.as_deref());
        let inner = [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result];
        inner.into_iter().for_each(|part| self.expression(part));
        self.bound.truncate(before);
    }

    fn entries(&mut self, entries: &'a [IdedEntryExpr]) {
        for entry in entries {
            match &entry.expr {
                EntryExpr::StructField(field) => self.expression(&field.value),
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key);
                    self.expression(&entry.value);
                }
            }
        }
    }
}

fn path(expression: &IdedExpr) -> Option<Path<'_>> {
    match &expression.expr {
        Expr::Ident(name) => Some(vec![name]),
        Expr::Select(select) => {
            let mut path = path(&select.operand)?;
            path.push(&select.field);
            Some(path)
        }
        Expr::Call(call) if call.func_name == INDEX => {
            let [map, name] = call.args.as_slice() else { return None };
            let mut path = path(map)?;
            path.push(literal(name)?);
            Some(path)
        }
        _ => None,
    }
}

fn literal(expression: &IdedExpr) -> Option<&str> {
    match &expression.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
