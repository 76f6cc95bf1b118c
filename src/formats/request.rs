//! The request line of an access log.

use std::ops::Range;

/// Splits a request line into method, path and protocol: the first word, the text in between, and a
/// last word that begins with `HTTP/`. An empty range is a part that is missing; of text that is no
/// request, all are.
pub(super) fn split_request(line: &[u8], request: &Range<usize>) -> [Range<usize>; 3] {
    let text = &line[request.clone()];
    let nothing = [0..0, 0..0, 0..0];
    let Some(method_len) = memchr::memchr(b' ', text).filter(|end| *end > 0) else {
        return nothing;
    };
    if !text[..method_len]
        .iter()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
    {
        return nothing;
    }
    let method = request.start..request.start + method_len;
    let path_at = method.end + 1;
    let last_space = request.start + memchr::memrchr(b' ', text).unwrap_or(method_len);
    if last_space > path_at && line[last_space + 1..request.end].starts_with(b"HTTP/") {
        return [method, path_at..last_space, last_space + 1..request.end];
    }
    if last_space == method.end
        && path_at < request.end
        && !line[path_at..request.end].starts_with(b"HTTP/")
    {
        return [method, path_at..request.end, 0..0];
    }
    nothing
}
