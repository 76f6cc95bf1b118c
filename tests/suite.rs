//! The one test binary: a module an area.

mod wire;
