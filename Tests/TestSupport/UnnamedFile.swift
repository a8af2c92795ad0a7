internal import Glibc

/// The descriptor of a new file without a name, open for reading and writing.
package func makeUnnamedFile() -> Int32 {
    guard let stream = tmpfile() else { fatalError("no temporary file: \(errno)") }
    defer { fclose(stream) }
    return dup(fileno(stream))
}
