//! The `#[filter]` attribute. Its documentation for authors is in `tollgate-filter`.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{Error, Ident, ImplItem, ItemImpl, Result, Type, parse_quote};

/// Makes `impl Filter for …` the filter of this crate.
///
/// Subscribes to the hooks that the `impl` has, adds `type State = ();` where it is missing, and exports the filter
/// when compiled to WebAssembly. A crate can have one filter.
#[proc_macro_attribute]
pub fn filter(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand(arguments.into(), item.into()).unwrap_or_else(Error::into_compile_error).into()
}

fn expand(arguments: Tokens, item: Tokens) -> Result<Tokens> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "#[filter] takes no arguments"));
    }
    let mut item: ItemImpl = syn::parse2(item)?;
    let name = type_name(&item)?;
    let hooks = hooks(&item);
    if !item.items.iter().any(|item| matches!(item, ImplItem::Type(state) if state.ident == "State")) {
        item.items.push(parse_quote!(
            type State = ();
        ));
    }
    item.items.push(parse_quote! {
        const HOOKS: &'static [::tollgate_filter::Hook] = &[#(::tollgate_filter::Hook::#hooks),*];
    });
    Ok(quote! {
        #item
        ::tollgate_filter::__export!(#name);
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
        expand(Tokens::new(), item).map_or_else(|error| error.to_string(), |tokens| tokens.to_string())
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
}
