//! The style and the script of a page, and the policy that lets nothing else run.

/// The style.
pub(super) const STYLE: &str = include_str!("report.css");

/// The script.
pub(super) const SCRIPT: &str = include_str!("report.js");

/// The SHA-256 of the style, in base64.
const STYLE_HASH: &str = "yl4I3s9aVyOW9XFgZB5teGYmaawtm7FrDw2bc/E45bM=";

/// The SHA-256 of the script, in base64.
const SCRIPT_HASH: &str = "oi2tt9gHdxWhmjmmEi4qdR414HkralWycRwKGt5zZDE=";

/// The script of a page that is served: it loads the page again when there is a new answer.
pub(super) const RELOAD: &str = include_str!("reload.js");

/// The SHA-256 of that script, in base64.
const RELOAD_HASH: &str = "YNmrFFOULFC7Eh6M/oaud3a/FDI82WpAALgwlGigvVY=";

/// Returns the content security policy: no network, no frames, and no style or script but ours. A
/// page that is served hears from its server, and from nobody else.
pub(super) fn policy(has_script: bool, is_served: bool) -> String {
    let scripts = [(SCRIPT_HASH, has_script), (RELOAD_HASH, is_served)];
    let scripts = scripts.into_iter().filter(|(_, has)| *has);
    let scripts: Vec<String> = scripts.map(|(hash, _)| format!("'sha256-{hash}'")).collect();
    let script = if scripts.is_empty() { "'none'".to_owned() } else { scripts.join(" ") };
    let connect = if is_served { "; connect-src 'self'" } else { "" };
    format!(
        "default-src 'none'; style-src 'sha256-{STYLE_HASH}'; script-src {script}{connect}; \
         base-uri 'none'; form-action 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn hash(text: &str) -> String {
        base64_simd::STANDARD.encode_to_string(Sha256::digest(text))
    }

    #[test]
    fn the_hashes_are_those_of_style_and_script() {
        assert_eq!(STYLE_HASH, hash(STYLE), "of the style");
        assert_eq!(SCRIPT_HASH, hash(SCRIPT), "of the script");
        assert_eq!(RELOAD_HASH, hash(RELOAD), "of the script of a served page");
    }

    #[test]
    fn style_and_script_are_small_and_refer_to_nothing_outside() {
        assert!(SCRIPT.len() <= 6_000, "{} bytes of script", SCRIPT.len());
        assert!(STYLE.len() <= 14_000, "{} bytes of style", STYLE.len());
        for outside in ["url(", "@import", "//", "</"] {
            assert!(!STYLE.contains(outside), "{outside}");
        }
        // The one address is the name of SVG.
        assert_eq!(SCRIPT.replace("'http://www.w3.org/2000/svg'", "").matches("//").count(), 0);
        for forbidden in [
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "fetch",
            "XMLHttp",
            "</",
        ] {
            assert!(!SCRIPT.contains(forbidden), "{forbidden}");
        }
    }
}
