//! What the attribute makes of its input, without a compiler: snapshots of the expansion, and every mistake by its text.
//!
//! Where a message is *shown* is the matter of the UI tests in `dlock-runtime/tests/ui`.

mod half_typed;
mod injective;
mod layers;
mod mistakes;
mod reference;
mod snapshots;

use proc_macro2::{TokenStream, TokenTree};

const FUNCTION: &str = "async fn deduct(id: u64, qty: u32) -> Result<u32, StockError> { read(id).await }";

fn attribute(args: &str, item: &str) -> TokenStream {
    let args = args.parse().expect("the options are tokens");
    crate::attribute::attribute(args, item.parse().expect("the item is tokens"))
}

/// The messages of every `compile_error!` in the tokens.
fn errors(tokens: TokenStream) -> Vec<String> {
    let mut found = Vec::new();
    let mut after_name = false;
    for token in tokens {
        match token {
            TokenTree::Group(group) if after_name => {
                let text: syn::LitStr = syn::parse2(group.stream()).expect("one message");
                found.push(text.value());
                after_name = false;
            }
            TokenTree::Group(group) => found.extend(errors(group.stream())),
            TokenTree::Ident(ident) => after_name = ident == "compile_error",
            _ => {}
        }
    }
    found
}

/// The messages for these options on a function that is in order.
fn mistakes(args: &str) -> Vec<String> {
    errors(attribute(args, FUNCTION))
}
