//! Mistakes that the attribute could have. Each is made in a copy of its text, to see that a check catches it.

/// A mistake, as a change of the text.
pub struct Weakness {
    /// What is wrong.
    pub name: &'static str,
    /// The target that finds it.
    pub found_by: &'static str,
    /// Part of what is said of it then.
    pub said: &'static str,
    /// The file below `dlock-macros/src`.
    pub file: &'static str,
    /// What stands there, and what stands there instead.
    pub text: &'static str,
    /// See `text`.
    pub instead: &'static str,
}

/// All of them.
pub const ALL: &[Weakness] = &[
    Weakness {
        name: "it_panics_far_inside",
        found_by: "options",
        said: "attempt to subtract",
        file: "duration.rs",
        text: "place /= 10;",
        instead: "place = (place - 1) / 10;",
    },
    Weakness {
        name: "a_template_panics",
        found_by: "templates",
        said: "char boundary",
        file: "grammar.rs",
        text: "match after.split_once('>') {",
        instead: "match Some(&after[..after.len().min(1)]).and_then(|_| after.split_once('>')) {",
    },
    Weakness {
        name: "separators_are_not_looked_at",
        found_by: "templates",
        said: "readings of",
        file: "rules.rs",
        text: "    check_separators(template, wrong);",
        instead: "",
    },
    Weakness {
        name: "what_values_keep_separates",
        found_by: "templates",
        said: "readings of",
        file: "grammar.rs",
        text: " | '@' | '+' => true",
        instead: " | '@' => true",
    },
    Weakness {
        name: "the_head_of_an_escape_separates",
        found_by: "templates",
        said: "readings of",
        file: "rules.rs",
        text: "!is_kept(character) && character != '%'",
        instead: "!is_kept(character)",
    },
    Weakness {
        name: "only_the_first_pair_is_looked_at",
        found_by: "templates",
        said: "readings of",
        file: "rules.rs",
        text: "let Some((before, between)) = before else { continue };",
        instead: "let Some((before, between)) = before else { continue };\n                if before != \"id\" { continue }",
    },
    Weakness {
        name: "braces_are_not_looked_at",
        found_by: "templates",
        said: "the runtime refuses",
        file: "rules.rs",
        text: "    check_hash_tag(&template.outline(), wrong);",
        instead: "",
    },
    Weakness {
        name: "control_characters_are_not_looked_at",
        found_by: "templates",
        said: "the runtime refuses",
        file: "rules.rs",
        text: "outline.chars().any(char::is_control)",
        instead: "false",
    },
    Weakness {
        name: "a_doubled_bracket_is_read_as_one_too_many",
        found_by: "templates",
        said: "the runtime reads",
        file: "template.rs",
        text: "written.push_str(text),",
        instead: "written.push_str(&text.replace('<', \"<<\").replace('>', \">>\")),",
    },
    Weakness {
        name: "a_short_ttl_passes",
        found_by: "options",
        said: "`ttl` of",
        file: "options.rs",
        text: "time: SHORTEST_TTL,",
        instead: "time: SHORTEST_RENEWAL,",
    },
    Weakness {
        name: "an_option_is_forgotten",
        found_by: "options",
        said: "`max_hold` is lost",
        file: "expand/options.rs",
        text: "options.extend(quote_spanned!(site=> .#name(#value)));",
        instead: "if !name.to_string().starts_with(\"max_hold\") { options.extend(quote_spanned!(site=> .#name(#value))); }",
    },
    Weakness {
        name: "a_message_has_no_cure",
        found_by: "options",
        said: "no help",
        file: "pairs.rs",
        text: "cannot be read: {error}\\nhelp: {FORM}",
        instead: "cannot be read: {error}; {FORM}",
    },
    Weakness {
        name: "the_item_is_gone",
        found_by: "options",
        said: "the item is not handed back",
        file: "lib.rs",
        text: "tokens.extend(item);",
        instead: "drop(item);",
    },
    Weakness {
        name: "the_expansion_is_not_rust",
        found_by: "options",
        said: "the expansion is not Rust",
        file: "expand/mod.rs",
        text: "let __lock = if __when {",
        instead: "let let __lock = if __when {",
    },
];
