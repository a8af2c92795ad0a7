/// Why bytes could not be compressed.
package enum CompressionError: Error, Equatable {
    case outOfMemory
}
