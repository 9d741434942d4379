"""The Huffman code of strings in header blocks (RFC 7541, section 5.2 and appendix B)."""

from service.http2.errors import ErrorCode, Http2Error

# The length in bits of the code of each octet, and of the end of a string, which is never sent. The
# codes are canonical: in the order of their lengths, and of what they mean, each is one more than
# the last.
_LENGTHS = """
    13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28 28 28 28 28 28 28 30 28
    28 28 28 28 28 28 28 28 6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6
    5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10 13 6 7 7 7 7 7 7
    7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
    15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5 6 7 6 5 5 6 7 7
    7 7 7 15 11 14 13 28 20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23
    24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24 22 21 20 22 22 23 23 21
    23 22 22 24 21 22 23 23 21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
    26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25 19 21 26 27 27 26 27 24
    21 21 26 26 28 27 27 27 20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23
    26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26 30
"""
_END = 256
# What may pad a string to whole octets: the beginning of the end's code, all ones.
_MOST_PADDING = 7
# In an entry of the table: the octet that was completed, plus one, below the state that follows.
_OCTET_BITS = 9
_OCTET_MASK = (1 << _OCTET_BITS) - 1


def _tree() -> list[list[int]]:
    """Return the nodes of the code; a child is another node, or below zero an octet, inverted."""
    lengths = [int(text) for text in _LENGTHS.split()]
    nodes = [[0, 0]]
    code = length = 0
    for octet in sorted(range(len(lengths)), key=lambda octet: (lengths[octet], octet)):
        code <<= lengths[octet] - length
        length = lengths[octet]
        at = 0
        for shift in range(length - 1, 0, -1):
            bit = code >> shift & 1
            if not nodes[at][bit]:
                nodes[at][bit] = len(nodes)
                nodes.append([0, 0])
            at = nodes[at][bit]
        nodes[at][code & 1] = ~octet
        code += 1
    return nodes


def _tables() -> tuple[list[int], frozenset[int]]:
    """Return what four bits lead to from each node, and the nodes at which a string may end.

    An entry is -1 where the bits hold the code of the end.
    """
    nodes = _tree()
    steps = []
    for start in range(len(nodes)):
        for bits in range(16):
            at, found = start, 0
            for shift in (3, 2, 1, 0):
                at = nodes[at][bits >> shift & 1]
                if at < 0:
                    # No code is shorter than five bits, so that four complete one at most.
                    found, at = ~at + 1, 0
            steps.append(-1 if found == _END + 1 else at << _OCTET_BITS | found)
    ends = {0}
    at = 0
    for _ in range(_MOST_PADDING):
        at = nodes[at][1]
        ends.add(at)
    return steps, frozenset(ends)


_STEPS, _ENDS = _tables()


def huffman_decoded(data: bytes) -> bytes:
    """Return the octets that a string in Huffman's code stands for.

    Raises:
        Http2Error: it is not one.
    """
    out = bytearray()
    state = 0
    for octet in data:
        for bits in (octet >> 4, octet & 15):
            step = _STEPS[state << 4 | bits]
            if step < 0:
                raise Http2Error(ErrorCode.COMPRESSION_ERROR, "A string holds the end of strings.")
            if found := step & _OCTET_MASK:
                out.append(found - 1)
            state = step >> _OCTET_BITS
    if state not in _ENDS:
        raise Http2Error(ErrorCode.COMPRESSION_ERROR, "A string is padded wrongly.")
    return bytes(out)
