//! Mistakes that the attribute could have, made from outside: in what it is given, or in what it hands back. Each shows that
//! a check sees it.

use proc_macro2::{TokenStream, TokenTree};

use crate::{AS_IT_IS, Attribute, OPTIONS, TEMPLATES, Target, attribute::attribute};

/// A mistake.
pub struct Weakness {
    /// What is wrong.
    pub name: &'static str,
    /// The target that finds it.
    pub found_by: Target,
    /// Part of what is said of it then.
    pub said: &'static str,
    /// The attribute that makes it.
    pub attribute: Attribute,
}

const fn options(
    name: &'static str,
    said: &'static str,
    expand: fn(TokenStream, TokenStream) -> TokenStream,
) -> Weakness {
    Weakness { name, found_by: OPTIONS, said, attribute: Attribute { expand, ..AS_IT_IS } }
}

/// The rules for templates are given another one than what is written: they are blind for a part of it.
const fn blind(name: &'static str, said: &'static str, look_at: fn(&str) -> String) -> Weakness {
    Weakness { name, found_by: TEMPLATES, said, attribute: Attribute { look_at, ..AS_IT_IS } }
}

/// All of them.
pub static ALL: &[Weakness] = &[
    options("it_panics_far_inside", "far inside", |options, item| {
        assert!(!options.to_string().contains("250us"), "far inside");
        attribute(options, item)
    }),
    blind("a_template_panics", "char boundary", |text| {
        assert!(text.split_once('<').is_none_or(|(_, rest)| rest.is_char_boundary(1)), "char boundary");
        text.to_owned()
    }),
    blind("separators_are_not_looked_at", "readings of", |text| text.replace("><", ">/<")),
    blind("what_values_keep_separates", "readings of", |text| text.replace('+', "/")),
    blind("the_head_of_an_escape_separates", "readings of", |text| text.replace('%', "/")),
    blind("only_the_first_pair_is_looked_at", "readings of", |text| match text.match_indices('<').nth(1) {
        Some((second, _)) => format!("{}{}", &text[..second], text[second..].replace("><", ">/<")),
        None => text.to_owned(),
    }),
    blind("braces_are_not_looked_at", "the runtime refuses", |text| text.replace(['{', '}'], "")),
    blind("control_characters_are_not_looked_at", "the runtime refuses", |text| text.replace(char::is_control, "")),
    Weakness {
        name: "a_doubled_bracket_is_read_as_one_too_many",
        found_by: TEMPLATES,
        said: "the runtime reads",
        attribute: Attribute { read_text: |text| text.replace('<', "<<").replace('>', ">>"), ..AS_IT_IS },
    },
    options("a_short_ttl_passes", "`ttl` of", |options, item| {
        let output = attribute(options.clone(), item.clone());
        if !output.to_string().contains("cannot be shorter than") {
            return output;
        }
        reworded(attribute(with(&options, "ttl = ", "ttl = \"20ms\""), item), "ttl_ms (20)", "ttl_ms (19)")
    }),
    options("an_option_is_forgotten", "`max_hold` is lost", |options, item| {
        attribute(with(&options, "max_hold = ", "doc = true"), item)
    }),
    options("a_message_has_no_cure", "no help", |options, item| reworded(attribute(options, item), "\\nhelp: ", "; ")),
    options("the_item_is_gone", "the item is not handed back", |options, item| {
        let lost = item.clone().into_iter().count();
        let mut output = attribute(options, item).into_iter().collect::<Vec<_>>();
        if output.iter().any(|token| matches!(token, TokenTree::Ident(ident) if ident == "compile_error")) {
            output.truncate(output.len() - lost);
        }
        output.into_iter().collect()
    }),
    options("the_expansion_is_not_rust", "the expansion is not Rust", |options, item| {
        reworded(attribute(options, item), "let __lock", "let let __lock")
    }),
];

fn parsed(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

fn reworded(tokens: TokenStream, from: &str, to: &str) -> TokenStream {
    parsed(&tokens.to_string().replace(from, to))
}

/// The options with something else from `name` to the next comma.
fn with(options: &TokenStream, name: &str, instead: &str) -> TokenStream {
    let text = options.to_string();
    let Some((before, after)) = text.split_once(name) else { return options.clone() };
    let rest = after.find(',').map_or("", |comma| &after[comma..]);
    parsed(&format!("{before}{instead}{rest}"))
}
