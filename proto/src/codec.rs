//! How messages become bytes: as Protocol Buffers say. A test can have a process say more than the messages here know, as a newer
//! build does.

use prost::{Message, bytes::BufMut};
use std::{
    marker::PhantomData,
    sync::atomic::{AtomicBool, Ordering},
};
use tonic::{
    Status,
    codec::{Codec as Coding, EncodeBuf, Encoder},
};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

/// A field with a number that no message here has (2047, a string), and its value: key, length, text.
const MORE: &[u8] = b"\xfa\x7f\x08tomorrow";

static SAYS_MORE: AtomicBool = AtomicBool::new(false);

/// From now on every message of this process carries a field that this build does not know: for tests.
#[doc(hidden)]
pub fn say_more() {
    SAYS_MORE.store(true, Ordering::Relaxed);
}

/// The codec of every service here.
#[derive(Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Coding for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Writer<T>;
    type Decoder = ProstDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        Writer(ProstCodec::<T, U>::default().encoder())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<T, U>::default().decoder()
    }
}

/// Writes messages.
#[derive(Debug)]
pub struct Writer<T>(ProstEncoder<T>);

impl<T: Message> Encoder for Writer<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        self.0.encode(item, to)?;
        if SAYS_MORE.load(Ordering::Relaxed) {
            to.put_slice(MORE);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::MORE;
    use crate::mesh::Fact;
    use prost::Message;

    #[test]
    fn a_field_that_is_not_known_is_left_out_of_account() {
        let fact = Fact { version: 2, seq: 7, event_json: "{}".into(), unended: String::new() };
        let bytes = [fact.encode_to_vec().as_slice(), MORE].concat();
        assert_eq!(Fact::decode(bytes.as_slice()), Ok(fact));
    }
}
