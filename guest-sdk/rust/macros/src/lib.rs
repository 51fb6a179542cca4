//! `#[filter]` and `#[derive(Schema)]`. Their documentation for authors is in `tollgate-filter`.

mod manifest;
mod schema;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{Error, Ident, ImplItem, ItemImpl, Result, Type, parse_quote};

use self::manifest::Arguments;

/// Makes `impl Filter for …` the filter of this crate.
///
/// Subscribes to the hooks that the `impl` has, adds `type State = ();` where it is missing, and exports the filter
/// when compiled to WebAssembly. A crate can have one filter.
///
/// The module gets a manifest: the name, the version and the description of the crate, its hooks, and the schema of its
/// configuration if that derives `Schema`. All arguments are optional, and files are relative to `Cargo.toml`:
///
/// - `documentation = "README.md"`: what operators should know, in Markdown.
/// - `cases = "cases.toml"`: cases for `tollgate filter test`, which the module carries along.
/// - `needs(clock("tokens expire"), callouts("auth", "asks who may pass"))`: what it has to be granted, and why. `body`,
///   `clock` and `random` have no name; `callouts`, `read`, `secrets`, `store` and `write` have one, unless the configuration
///   says it.
/// - `uses(…)`: the same for what it can do without.
/// - `pure`: what the head hooks answer depends on nothing but the configuration and the facts that they subscribe to, so that the
///   gateway may remember answers and give them again without a call. Not for a filter that counts, keeps something between
///   exchanges in memory, or writes lines of log that are to be there each time. What a hook came to with the help of the gateway
///   (clocks, random numbers, secrets, stores, metrics, the exchange itself) is never remembered, nor is a reply.
/// - `schema = "schema.json"`: the JSON Schema of the configuration, where it cannot be derived.
#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(arguments.into(), item.into()).unwrap_or_else(Error::into_compile_error).into()
}

/// Says what a configuration of this type looks like. The documentation is at the trait.
#[proc_macro_derive(Schema, attributes(schema, serde))]
pub fn schema(item: TokenStream) -> TokenStream {
    let expanded = syn::parse(item).and_then(|input| schema::expand(&input));
    expanded.unwrap_or_else(Error::into_compile_error).into()
}

fn expand(arguments: Tokens, item: Tokens) -> Result<Tokens> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let mut item: ItemImpl = syn::parse2(item)?;
    let name = type_name(&item)?;
    let hooks = hooks(&item);
    if !item.items.iter().any(|item| matches!(item, ImplItem::Type(state) if state.ident == "State")) {
        item.items.push(parse_quote!(
            type State = ();
        ));
    }
    let hooks: Vec<_> = hooks.iter().map(|hook| quote!(::tollgate_filter::Hook::#hook)).collect();
    item.items.push(parse_quote! {
        const HOOKS: &'static [::tollgate_filter::Hook] = &[#(#hooks),*];
    });
    let (manifest, sections) = (arguments.manifest(&name, &hooks), arguments.sections(&name));
    item.items.push(parse_quote! {
        const MANIFEST: &'static ::tollgate_filter::manifest::Object = #manifest;
    });
    Ok(quote! {
        #item
        ::tollgate_filter::__export!(#name);
        #sections
    })
}

/// The type's name, which is all that the export can work with.
fn type_name(item: &ItemImpl) -> Result<Ident> {
    let is_filter = item
        .trait_
        .as_ref()
        .is_some_and(|(_, path, _)| path.segments.last().is_some_and(|last| last.ident == "Filter"));
    if !is_filter {
        return Err(Error::new_spanned(&item.self_ty, "#[filter] belongs on `impl Filter for …`"));
    }
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "a filter cannot be generic"));
    }
    match &*item.self_ty {
        Type::Path(path) if path.qself.is_none() => path.path.get_ident().cloned(),
        _ => None,
    }
    .ok_or_else(|| Error::new_spanned(&item.self_ty, "a filter is a type of this module, named without a path"))
}

/// The variants of `Hook` for the methods that the `impl` has.
fn hooks(item: &ItemImpl) -> Vec<Ident> {
    item.items
        .iter()
        .filter_map(|item| match item {
            ImplItem::Fn(method) => variant(&method.sig.ident.to_string()),
            _ => None,
        })
        .map(|variant| format_ident!("{variant}"))
        .collect()
}

fn variant(method: &str) -> Option<&'static str> {
    Some(match method {
        "on_request" => "Request",
        "on_request_body" => "RequestBody",
        "on_request_trailers" => "RequestTrailers",
        "on_response" => "Response",
        "on_response_body" => "ResponseBody",
        "on_response_trailers" => "ResponseTrailers",
        "on_end" => "End",
        "on_tick" => "Tick",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(item: Tokens) -> String {
        expanded_with(Tokens::new(), item)
    }

    fn expanded_with(arguments: Tokens, item: Tokens) -> String {
        expand(arguments, item).map_or_else(|error| error.to_string(), |tokens| tokens.to_string())
    }

    #[test]
    fn only_the_hooks_that_are_there_are_subscribed() {
        let output = expanded(quote! { impl Filter for Stamp { fn on_request(&self) {} fn on_end(&self) {} } });
        assert!(output.contains("Hook :: Request , :: tollgate_filter :: Hook :: End]"), "{output}");
    }

    #[test]
    fn a_state_is_added_only_where_it_is_missing() {
        assert!(expanded(quote! { impl Filter for Stamp {} }).contains("type State = () ;"));
        let own = expanded(quote! { impl Filter for Stamp { type State = u32; } });
        assert!(!own.contains("type State = () ;"), "{own}");
    }

    #[test]
    fn what_cannot_be_a_filter_is_refused() {
        assert!(expanded(quote! { impl Stamp {} }).contains("impl Filter for"));
        assert!(expanded(quote! { impl<T> Filter for Stamp<T> {} }).contains("generic"));
        assert!(expanded(quote! { impl Filter for (u8, u8) {} }).contains("named without a path"));
    }

    #[test]
    fn what_a_filter_needs_is_a_grant_with_a_reason() {
        let stamp = || quote! { impl Filter for Stamp {} };
        let good = expanded_with(
            quote! { documentation = "README.md", needs(clock("to wait"), secrets("key", "to sign"),), uses(read("who")) },
            stamp(),
        );
        for part in ["README.md", "\"secrets\"", "\"key\"", "\"to sign\"", "\"optional\""] {
            assert!(good.contains(part), "{good}");
        }
        assert!(expanded_with(quote! { name = "a" }, stamp()).contains("write documentation"));
        assert!(expanded_with(quote! { needs(clocks("a")) }, stamp()).contains("`clocks` is no grant"));
        assert!(expanded_with(quote! { needs(clock("a", "b")) }, stamp()).contains("write clock(\"WHY\")"));
        assert!(expanded_with(quote! { needs(secrets()) }, stamp()).contains("or secrets(\"WHY\")"));
    }
}
