//! Broken answers over real sockets: every kind, at every list, at the feed and at single reads by id, on the first, a middle
//! and the last page or object, met by whole passes of the product. A stream that meets one stops with its named problem or heals by another try, as the table says;
//! its checkpoint stays before the page, no row is invented, changed or lost, the other streams are whole; and the pass
//! after makes it whole and takes the problem away. What the transport alone makes of an answer is in `http`.

pub(crate) mod authority;
mod clock;
mod endpoints;
pub(crate) mod house;
mod judge;
mod kinds;
mod matrix;
mod proxy;
