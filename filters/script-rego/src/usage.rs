//! What a module spells: the paths of names below `input` and `data`, such as `input.identity.subject`, and the functions that it calls.

use std::collections::HashMap;

use regorus::unstable::{Expr, Literal, Module, Query, Rule, RuleBody, RuleHead, Span};

/// Names from the outside in, and where they stand.
pub(crate) struct Path<'a> {
    pub(crate) names: Vec<&'a str>,
    pub(crate) span: &'a Span,
}

/// All that a module spells.
#[derive(Default)]
pub(crate) struct Usage<'a> {
    pub(crate) paths: Vec<Path<'a>>,
    pub(crate) calls: Vec<Path<'a>>,
    /// What imports have named.
    aliases: HashMap<&'a str, Vec<&'a str>>,
}

/// A path that is being read.
struct Reference<'a> {
    names: Vec<&'a str>,
    /// What follows depends on the request.
    is_closed: bool,
}

pub(crate) fn of(module: &Module) -> Usage<'_> {
    let mut usage = Usage::default();
    for import in &module.imports {
        let Some(reference) = usage.reference(&import.refr) else { continue };
        let alias = import.r#as.as_ref().map(Span::text).or(reference.names.last().copied());
        if let (Some(alias), Some(&("input" | "data"))) = (alias, reference.names.first()) {
            usage.aliases.insert(alias, reference.names);
        }
    }
    module.policy.iter().for_each(|rule| usage.rule(rule));
    usage
}

impl<'a> Usage<'a> {
    fn rule(&mut self, rule: &'a Rule) {
        match rule {
            Rule::Default { args, value, .. } => {
                args.iter().for_each(|argument| self.expression(argument));
                self.expression(value);
            }
            Rule::Spec { head, bodies, .. } => {
                self.head(head);
                bodies.iter().for_each(|body| self.body(body));
            }
        }
    }

    fn head(&mut self, head: &'a RuleHead) {
        let (name, inner, assign) = match head {
            RuleHead::Compr { refr, assign, .. } => (refr, [].as_slice(), assign.as_ref()),
            RuleHead::Set { refr, key, .. } => (refr, key.as_slice(), None),
            RuleHead::Func { refr, args, assign, .. } => (refr, args.as_slice(), assign.as_ref()),
        };
        self.expression(name);
        inner.iter().for_each(|inner| self.expression(inner));
        assign.iter().for_each(|assign| self.expression(&assign.value));
    }

    fn body(&mut self, body: &'a RuleBody) {
        body.assign.iter().for_each(|assign| self.expression(&assign.value));
        self.query(&body.query);
    }

    fn query(&mut self, query: &'a Query) {
        for statement in &query.stmts {
            self.literal(&statement.literal);
            for replaced in &statement.with_mods {
                self.expression(&replaced.refr);
                self.expression(&replaced.r#as);
            }
        }
    }

    fn literal(&mut self, literal: &'a Literal) {
        match literal {
            Literal::SomeVars { .. } => {}
            Literal::SomeIn { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|part| self.expression(part));
            }
            Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => self.expression(expr),
            Literal::Every { domain, query, .. } => {
                self.expression(domain);
                self.query(query);
            }
        }
    }

    fn expression(&mut self, expression: &'a Expr) {
        match expression {
            Expr::String { .. }
            | Expr::RawString { .. }
            | Expr::Number { .. }
            | Expr::Bool { .. }
            | Expr::Null { .. } => {}
            Expr::Var { .. } | Expr::RefDot { .. } | Expr::RefBrack { .. } => {
                if let Some(reference) = self.reference(expression) {
                    self.found(reference.names, expression.span());
                }
            }
            Expr::Array { items, .. } | Expr::Set { items, .. } => items.iter().for_each(|item| self.expression(item)),
            Expr::Object { fields, .. } => {
                fields.iter().flat_map(|(_, key, value)| [key, value]).for_each(|part| self.expression(part))
            }
            Expr::ArrayCompr { term, query, .. } | Expr::SetCompr { term, query, .. } => {
                self.expression(term);
                self.query(query);
            }
            Expr::ObjectCompr { key, value, query, .. } => {
                [key, value].into_iter().for_each(|part| self.expression(part));
                self.query(query);
            }
            Expr::Call { fcn, params, span, .. } => self.call(fcn, params.iter().map(AsRef::as_ref).collect(), span),
            Expr::UnaryExpr { expr, .. } => self.expression(expr),
            Expr::BinExpr { lhs, rhs, .. }
            | Expr::BoolExpr { lhs, rhs, .. }
            | Expr::ArithExpr { lhs, rhs, .. }
            | Expr::AssignExpr { lhs, rhs, .. } => [lhs, rhs].into_iter().for_each(|side| self.expression(side)),
            Expr::Membership { key, value, collection, .. } => {
                key.iter().chain([value, collection]).for_each(|part| self.expression(part));
            }
        }
    }

    /// `object.get(input.identity, "subject", "")` looks at one name of what it is given.
    fn call(&mut self, function: &'a Expr, mut arguments: Vec<&'a Expr>, span: &'a Span) {
        if let Some(function) = self.reference(function) {
            if let (["object", "get"], [object, key, _]) = (function.names.as_slice(), arguments.as_slice())
                && let (Some(key), Some(mut reference)) = (text(key), self.reference(object))
            {
                if !reference.is_closed {
                    reference.names.push(key);
                }
                self.found(reference.names, object.span());
                arguments.remove(0);
            }
            self.calls.push(Path { names: function.names, span });
        }
        arguments.into_iter().for_each(|argument| self.expression(argument));
    }

    fn found(&mut self, names: Vec<&'a str>, span: &'a Span) {
        if let Some(&("input" | "data")) = names.first() {
            self.paths.push(Path { names, span });
        }
    }

    /// The names that an expression is made of. What it is made of besides is looked at.
    fn reference(&mut self, expression: &'a Expr) -> Option<Reference<'a>> {
        match expression {
            Expr::Var { value, .. } => {
                let name: &str = value.as_string().ok()?;
                let names = self.aliases.get(name).cloned().unwrap_or_else(|| vec![name]);
                Some(Reference { names, is_closed: false })
            }
            Expr::RefDot { refr, field: (_, name), .. } => {
                let mut reference = self.reference(refr)?;
                if !reference.is_closed {
                    reference.names.push(name.as_string().ok()?);
                }
                Some(reference)
            }
            Expr::RefBrack { refr, index, .. } => {
                let reference = self.reference(refr);
                let Some(name) = text(index) else {
                    self.expression(index);
                    return reference.map(|reference| Reference { is_closed: true, ..reference });
                };
                let mut reference = reference?;
                if !reference.is_closed {
                    reference.names.push(name);
                }
                Some(reference)
            }
            other => {
                self.expression(other);
                None
            }
        }
    }
}

fn text(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::String { value, .. } | Expr::RawString { value, .. } => value.as_string().ok().map(AsRef::as_ref),
        _ => None,
    }
}
