//! As much of SPDY/3.1 as Kubernetes' port-forward needs: two streams opened, bytes sent, replies read. Pure.
//!
//! SPDY compresses headers with zlib and a dictionary that both sides know. We send the three short headers of a stream
//! as *stored* deflate blocks, which every decompressor reads and which never look into the dictionary, so neither a
//! compressor nor the dictionary is needed here. Headers that come back are empty and skipped.

/// Length of every frame's head, in bytes.
pub(super) const HEAD: usize = 8;

const SYN_STREAM: u16 = 1;
const SYN_REPLY: u16 = 2;
const RST_STREAM: u16 = 3;
const PING: u16 = 6;
const GO_AWAY: u16 = 7;
const FIN: u8 = 1;

/// A zlib stream's beginning: deflate, 32 KiB window, preset dictionary, and the Adler-32 of SPDY/3's dictionary (SPDY
/// Protocol, draft 3, 2.6.10.1). The compression is one stream for the whole connection, so this is sent only once.
const ZLIB_HEAD: [u8; 6] = [0x78, 0xbb, 0xe3, 0xc6, 0xa7, 0xc2];
/// An empty stored block: tells the decompressor to hand out what it has.
const ZLIB_FLUSH: [u8; 5] = [0x00, 0x00, 0x00, 0xff, 0xff];

/// What a frame is, as far as its head says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Frame {
    /// Bytes of a stream.
    Data { stream: u32, last: bool },
    /// The server took the stream; its id follows.
    Reply,
    /// The server gave the stream up; its id follows.
    Reset,
    /// Are you there? To be sent back as it is.
    Ping,
    /// No further streams, please.
    GoAway,
    /// Something that port-forward does not use.
    Other,
}

/// Reads a frame's head; the number is the length of what follows, in bytes.
pub(super) fn read_head(head: [u8; HEAD]) -> (Frame, usize) {
    let [a, b, c, d, flags, length @ ..] = head;
    let length = length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    if a & 0x80 == 0 {
        return (Frame::Data { stream: u32::from_be_bytes([a, b, c, d]), last: flags & FIN != 0 }, length);
    }
    let frame = match u16::from_be_bytes([c, d]) {
        SYN_REPLY => Frame::Reply,
        RST_STREAM => Frame::Reset,
        PING => Frame::Ping,
        GO_AWAY => Frame::GoAway,
        _ => Frame::Other,
    };
    (frame, length)
}

/// The head of a data frame. `length` is that of what follows, below 16 MiB.
pub(super) fn data_head(stream: u32, length: usize, last: bool) -> [u8; HEAD] {
    let [a, b, c, d] = stream.to_be_bytes();
    let [.., x, y, z] = length.to_be_bytes();
    [a, b, c, d, if last { FIN } else { 0 }, x, y, z]
}

/// The answer to a ping.
pub(super) fn ping(id: [u8; 4]) -> Vec<u8> {
    control(PING, 0, &id)
}

/// The frames that open the pair of streams of one connection to `port`: the one for errors, which we never write to,
/// and the one for data. `first` says that nothing was opened on this SPDY connection before.
///
/// Names of the headers: Kubernetes, `staging/src/k8s.io/api/core/v1/types.go`, `StreamType` and below.
pub(super) fn open_pair(first: bool, error: u32, data: u32, port: u16) -> Vec<u8> {
    let (port, request) = (port.to_string(), error.to_string());
    let headers = |kind| [("streamtype", kind), ("port", port.as_str()), ("requestid", request.as_str())];
    let mut frames = open(first, error, FIN, &headers("error"));
    frames.extend(open(false, data, 0, &headers("data")));
    frames
}

fn open(first: bool, stream: u32, flags: u8, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut block = word(headers.len());
    for (name, value) in headers {
        for text in [name, value] {
            block.extend(word(text.len()));
            block.extend(text.as_bytes());
        }
    }
    let length = u16::try_from(block.len()).expect("three short headers");
    let mut payload = stream.to_be_bytes().to_vec();
    // No associated stream, highest priority, no credential slot.
    payload.extend([0; 6]);
    if first {
        payload.extend(ZLIB_HEAD);
    }
    payload.push(0x00);
    payload.extend(length.to_le_bytes());
    payload.extend((!length).to_le_bytes());
    payload.extend(block);
    payload.extend(ZLIB_FLUSH);
    control(SYN_STREAM, flags, &payload)
}

fn control(kind: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.extend(kind.to_be_bytes());
    let [.., x, y, z] = payload.len().to_be_bytes();
    frame.extend([flags, x, y, z]);
    frame.extend(payload);
    frame
}

fn word(number: usize) -> Vec<u8> {
    u32::try_from(number).expect("short headers").to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_head_is_read_as_it_was_written() {
        assert_eq!(read_head(data_head(7, 0x01_02_03, true)), (Frame::Data { stream: 7, last: true }, 0x01_02_03));
        assert_eq!(read_head(data_head(9, 0, false)), (Frame::Data { stream: 9, last: false }, 0));
    }

    #[test]
    fn control_frames_are_told_apart() {
        let reply = [0x80, 3, 0, 2, 0, 0, 0, 14];
        assert_eq!(read_head(reply), (Frame::Reply, 14));
        assert_eq!(read_head([0x80, 3, 0, 3, 0, 0, 0, 8]), (Frame::Reset, 8));
        assert_eq!(read_head([0x80, 3, 0, 4, 0, 0, 0, 8]), (Frame::Other, 8));
        assert_eq!(ping([0, 0, 0, 2]), [0x80, 3, 0, 6, 0, 0, 0, 4, 0, 0, 0, 2]);
    }

    #[test]
    fn the_first_pair_begins_the_compression_and_the_next_goes_on() {
        let first = open_pair(true, 1, 3, 8080);
        let next = open_pair(false, 5, 7, 8080);
        assert_eq!(&first[..8], [0x80, 3, 0, 1, 1, 0, 0, 87]);
        assert_eq!(first[8..18], [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(first[18..24], ZLIB_HEAD);
        assert_eq!(first.len(), next.len() + ZLIB_HEAD.len());
        let text = String::from_utf8_lossy(&next).into_owned();
        assert!(text.contains("streamtype") && text.contains("error") && text.contains("8080"), "{text}");
    }
}
