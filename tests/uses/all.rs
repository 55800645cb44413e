//! Uses of the attribute that must compile, most of them under `#![deny(warnings)]`: a file for each.
//!
//! What the compiler says to mistakes is in `dlock-runtime/tests/ui`; what annotated functions do is in `tests/attribute`.

mod async_trait;
mod async_trait_of_every_kind;
mod bare_of_names;
mod blocking_work_that_is_awaited;
mod cfg;
mod conditional_parameter;
mod const_generics;
mod deprecated;
pub mod doc_comments; // Only what is public must be documented.
mod dyn_arguments;
mod every_option;
mod expect;
mod expressions_in_options;
mod future_is_send;
mod future_is_send_if_the_body_is;
mod generics;
mod impl_future;
mod impl_trait_arguments;
mod inner_attributes;
mod items_in_the_body;
mod keys_that_only_look_like_others;
mod kinds_of_self;
mod lifetimes;
mod lints_of_parameters;
mod literals_of_every_form;
mod minimal;
mod must_use;
mod never_unused;
mod no_return_type;
mod patterns;
mod raw_names;
mod recursion;
mod return_types;
mod self_in_smart_pointers;
mod shadowed_locals;
mod shadowed_modules;
mod shadowed_names;
mod through_macro_rules;
mod traits;
mod traits_of_every_kind;
mod unsafe_fn;
mod visibilities;
mod warnings_switched_off;
mod ways_through_a_body;
mod where_clauses;
mod with_other_attributes;
mod written_by_macros;

#[test]
fn every_file_beside_this_one_is_compiled() {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/all.rs");
    let modules = std::fs::read_to_string(here).expect("this file");
    for file in std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("this folder") {
        let name = file.expect("a file").file_name().into_string().expect("names are ASCII");
        let module = name.strip_suffix(".rs").filter(|name| !["all", "lints"].contains(name));
        assert!(
            module.is_none_or(|module| modules.contains(&format!("mod {module};"))),
            "all.rs lacks `mod` for {name}"
        );
    }
}
