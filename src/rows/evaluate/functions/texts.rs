//! Functions of texts.

use super::super::lowering::Lowering;
use super::super::names::Kind;
use super::super::strings::{json_pointer, lower, reverse, upper, url_host, url_path, url_query};
use super::super::tree::{Num, PartOfText, RegexReplacement, Text, TextOfText, Truth, Typed};
use super::function::{Call, Function, Gives};
use crate::error::Error;
use crate::query::expression::Node;
use crate::row::Number;

const TEXT: Gives = Gives::Kind(Kind::Text);
const NUMBER: Gives = Gives::Kind(Kind::Number);
const TRUTH: Gives = Gives::Kind(Kind::Bool);

type Lowered = Result<Typed, Error>;

/// All functions of this file.
pub(super) static FUNCTIONS: &[Function] = &[
    Function {
        names: &["lower", "lcase"],
        arguments: "s",
        count: (1, 1),
        gives: TEXT,
        help: "The text in lower case.",
        lower: |lowering, call| made(lowering, call, lower),
    },
    Function {
        names: &["upper", "ucase"],
        arguments: "s",
        count: (1, 1),
        gives: TEXT,
        help: "The text in upper case.",
        lower: |lowering, call| made(lowering, call, upper),
    },
    Function {
        names: &["reverse"],
        arguments: "s",
        count: (1, 1),
        gives: TEXT,
        help: "The characters in reverse.",
        lower: |lowering, call| made(lowering, call, reverse),
    },
    Function {
        names: &["length", "len", "char_length", "character_length"],
        arguments: "s",
        count: (1, 1),
        gives: NUMBER,
        help: "The number of characters.",
        lower: |lowering, call| {
            let text = Box::new(lowering.text(call.arg(0))?);
            let length = |text: &str| Ok(Some(Number::Int(text.chars().count() as i128)));
            Ok(Typed::Num(Num::OfText(length, text, lowering.place(call.id))))
        },
    },
    Function {
        names: &["trim"],
        arguments: "s [, characters]",
        count: (1, 2),
        gives: TEXT,
        help: "The text without spaces, or these characters, at both ends.",
        lower: |lowering, call| trim(lowering, call, (true, true)),
    },
    Function {
        names: &["ltrim"],
        arguments: "s [, characters]",
        count: (1, 2),
        gives: TEXT,
        help: "The text without spaces, or these characters, at its beginning.",
        lower: |lowering, call| trim(lowering, call, (true, false)),
    },
    Function {
        names: &["rtrim"],
        arguments: "s [, characters]",
        count: (1, 2),
        gives: TEXT,
        help: "The text without spaces, or these characters, at its end.",
        lower: |lowering, call| trim(lowering, call, (false, true)),
    },
    Function {
        names: &["substr", "substring"],
        arguments: "s, start [, length]",
        count: (2, 3),
        gives: TEXT,
        help: "Characters from start on: from 1, or from the end with a minus.",
        lower: |lowering, call| {
            let (text, start) = (lowering.text(call.arg(0))?, lowering.num(call.arg(1))?);
            let length = call.optional(2).map(|length| lowering.num(length)).transpose()?;
            Ok(Typed::Text(Text::Substr(Box::new((text, start, length)))))
        },
    },
    Function {
        names: &["left"],
        arguments: "s, n",
        count: (2, 2),
        gives: TEXT,
        help: "The first n characters, or all but the last n with a minus.",
        lower: |lowering, call| {
            let of = (lowering.text(call.arg(0))?, lowering.num(call.arg(1))?);
            Ok(Typed::Text(Text::Left(Box::new(of))))
        },
    },
    Function {
        names: &["position"],
        arguments: "part, s",
        count: (2, 2),
        gives: NUMBER,
        help: "Where the part begins, from 1; 0 if it is not in the text.",
        lower: |lowering, call| position(lowering, call, (0, 1)),
    },
    Function {
        names: &["strpos", "instr"],
        arguments: "s, part",
        count: (2, 2),
        gives: NUMBER,
        help: "Where the part begins, from 1; 0 if it is not in the text.",
        lower: |lowering, call| position(lowering, call, (1, 0)),
    },
    Function {
        names: &["replace"],
        arguments: "s, part, new",
        count: (3, 3),
        gives: TEXT,
        help: "The text with every occurrence of part replaced by new.",
        lower: |lowering, call| {
            let mut text = |index| lowering.text(call.arg(index));
            let of = Box::new((text(0)?, text(1)?, text(2)?));
            Ok(Typed::Text(Text::Replace(of, lowering.place(call.id))))
        },
    },
    Function {
        names: &["split_part"],
        arguments: "s, separator, n",
        count: (3, 3),
        gives: TEXT,
        help: "Part n between separators: from 1, or from the end with a minus; '' past the last.",
        lower: |lowering, call| {
            let (text, separator) = (lowering.text(call.arg(0))?, lowering.text(call.arg(1))?);
            let part = lowering.num(call.arg(2))?;
            Ok(Typed::Text(Text::Split(Box::new((text, separator, part)))))
        },
    },
    Function {
        names: &["concat"],
        arguments: "a, b ...",
        count: (1, usize::MAX),
        gives: TEXT,
        help: "The values joined; what is null is left out.",
        lower: |lowering, call| {
            let parts = lowering.each(call.args, Lowering::any_text)?;
            Ok(Typed::Text(Text::Concat(parts, lowering.place(call.id))))
        },
    },
    Function {
        names: &["starts_with", "prefix"],
        arguments: "s, part",
        count: (2, 2),
        gives: TRUTH,
        help: "Whether the text begins with the part.",
        lower: |lowering, call| test(lowering, call, |text, part| text.starts_with(part)),
    },
    Function {
        names: &["ends_with", "suffix"],
        arguments: "s, part",
        count: (2, 2),
        gives: TRUTH,
        help: "Whether the text ends with the part.",
        lower: |lowering, call| test(lowering, call, |text, part| text.ends_with(part)),
    },
    Function {
        names: &["regexp_matches"],
        arguments: "s, regex",
        count: (2, 2),
        gives: TRUTH,
        help: "Whether the regular expression matches anywhere in the text.",
        lower: |lowering, call| {
            let text = Box::new(lowering.text(call.arg(0))?);
            let pattern = lowering.pattern(call.arg(1))?;
            Ok(Typed::Truth(Truth::Matches(text, pattern.regex)))
        },
    },
    Function {
        names: &["regexp_extract"],
        arguments: "s, regex [, group]",
        count: (2, 3),
        gives: TEXT,
        help: "What the regular expression, or a group of it, matches first; null without a match.",
        lower: regexp_extract,
    },
    Function {
        names: &["regexp_replace"],
        arguments: "s, regex, to [, 'g']",
        count: (3, 4),
        gives: TEXT,
        help: "The text with the first match replaced, or all with 'g'; \\1 is the first group.",
        lower: regexp_replace,
    },
    Function {
        names: &["url_host"],
        arguments: "url",
        count: (1, 1),
        gives: TEXT,
        help: "The host of a URL; null if it has none.",
        lower: |lowering, call| part(lowering, call, url_host),
    },
    Function {
        names: &["url_path"],
        arguments: "url",
        count: (1, 1),
        gives: TEXT,
        help: "The path of a URL or of a request target, without the query.",
        lower: |lowering, call| part(lowering, call, url_path),
    },
    Function {
        names: &["url_query"],
        arguments: "url [, name]",
        count: (1, 2),
        gives: TEXT,
        help: "The query of a URL, or a parameter of it as it is written; null if it is not there.",
        lower: |lowering, call| match call.optional(1) {
            None => part(lowering, call, url_query),
            Some(name) => {
                let of = (lowering.text(call.arg(0))?, lowering.text(name)?);
                Ok(Typed::Text(Text::UrlQuery(Box::new(of))))
            }
        },
    },
    Function {
        names: &["ip_prefix"],
        arguments: "ip, bits",
        count: (2, 2),
        gives: TEXT,
        help: "The network of an address, as in 10.1.0.0/16; null for text that is no address.",
        lower: |lowering, call| {
            let of = (lowering.text(call.arg(0))?, lowering.num(call.arg(1))?);
            Ok(Typed::Text(Text::IpPrefix(Box::new(of))))
        },
    },
    Function {
        names: &["json_extract", "json_extract_string"],
        arguments: "json, path",
        count: (2, 2),
        gives: TEXT,
        help: "The text of the value at a path such as '$.a[0]' or '/a/0'; null if it is not there.",
        lower: |lowering, call| {
            let text = Box::new(lowering.text(call.arg(0))?);
            let path = lowering.literal_text(call.arg(1), "a path")?;
            let Some(pointer) = json_pointer(path) else {
                let why = format!("'{path}' is not a path: write it as '$.a.b[0]' or '/a/b/0'");
                return Err(lowering.ast.error(call.arg(1), why));
            };
            Ok(Typed::Text(Text::Json(text, pointer.into(), lowering.place(call.id))))
        },
    },
];

fn made(lowering: &mut Lowering<'_>, call: Call<'_>, function: TextOfText) -> Lowered {
    let text = Box::new(lowering.text(call.arg(0))?);
    Ok(Typed::Text(Text::Made(function, text, lowering.place(call.id))))
}

fn part(lowering: &mut Lowering<'_>, call: Call<'_>, function: PartOfText) -> Lowered {
    Ok(Typed::Text(Text::PartOf(function, Box::new(lowering.text(call.arg(0))?))))
}

fn test(lowering: &mut Lowering<'_>, call: Call<'_>, test: fn(&str, &str) -> bool) -> Lowered {
    let texts = (lowering.text(call.arg(0))?, lowering.text(call.arg(1))?);
    Ok(Typed::Truth(Truth::OfTexts(test, Box::new(texts))))
}

fn trim(lowering: &mut Lowering<'_>, call: Call<'_>, sides: (bool, bool)) -> Lowered {
    let text = lowering.text(call.arg(0))?;
    let characters = match call.optional(1) {
        Some(characters) => lowering.text(characters)?,
        None => Text::Const(" ".into()),
    };
    Ok(Typed::Text(Text::Trim(Box::new((text, characters)), sides)))
}

fn position(lowering: &mut Lowering<'_>, call: Call<'_>, at: (usize, usize)) -> Lowered {
    let texts = (lowering.text(call.arg(at.0))?, lowering.text(call.arg(at.1))?);
    Ok(Typed::Num(Num::Position(Box::new(texts))))
}

fn regexp_extract(lowering: &mut Lowering<'_>, call: Call<'_>) -> Lowered {
    let text = Box::new(lowering.text(call.arg(0))?);
    let pattern = lowering.pattern(call.arg(1))?;
    let group = match call.optional(2) {
        None => 0,
        Some(id) => match lowering.ast.node(id) {
            Node::Int(group) => usize::try_from(*group)
                .ok()
                .filter(|group| *group < pattern.regex.captures_len())
                .ok_or_else(|| {
                    let groups = pattern.regex.captures_len() - 1;
                    let why = format!("the regular expression has {groups} groups, and no {group}");
                    lowering.ast.error(id, why)
                })?,
            _ => return Err(lowering.ast.error(id, "a group is a number, as in 1")),
        },
    };
    Ok(Typed::Text(Text::Extract(text, pattern, group)))
}

fn regexp_replace(lowering: &mut Lowering<'_>, call: Call<'_>) -> Lowered {
    let text = Box::new(lowering.text(call.arg(0))?);
    let pattern = lowering.pattern(call.arg(1))?;
    let with = lowering.literal_text(call.arg(2), "a replacement")?;
    let all = match call.optional(3) {
        None => false,
        Some(id) => match lowering.literal_text(id, "an option")? {
            "g" => true,
            other => {
                let why = format!("'{other}' is no option: 'g' replaces all matches");
                return Err(lowering.ast.error(id, why));
            }
        },
    };
    let replacement =
        RegexReplacement { with: groups_of(with).into(), all, place: lowering.place(call.id) };
    Ok(Typed::Text(Text::RegexReplace(text, pattern, Box::new(replacement))))
}

/// Returns a replacement with `\1` as the crate `regex` writes groups: `${1}`.
fn groups_of(with: &str) -> String {
    let mut out = String::new();
    let mut chars = with.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('$', _) => out.push_str("$$"),
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                out.push_str("${");
                out.push(*digit);
                out.push('}');
                chars.next();
            }
            ('\\', Some('\\')) => {
                out.push('\\');
                chars.next();
            }
            (c, _) => out.push(c),
        }
    }
    out
}
