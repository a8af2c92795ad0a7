/// Why bytes are not the bitmap of a page selector. All but `outOfMemory` are the sender's fault.
package enum PageSelectorError: Error, Equatable {
    /// Neither of the two cookies that a portable bitmap begins with.
    case notARoaringBitmap
    /// The bytes end before what the bitmap announces.
    case truncated
    /// This many bytes follow the bitmap.
    case trailingBytes(Int)
    /// More than 65,536 containers.
    case tooManyContainers
    /// The containers' keys do not ascend.
    case containersNotAscending
    /// A container's offset, counted from the first byte of the bitmap, is not where it is.
    case wrongContainerOffset(container: Int)
    /// A container holds values that do not ascend, or runs that overlap or leave it.
    case valuesNotAscending(container: Int)
    /// A container holds fewer or more values than its header says.
    case wrongCardinality(container: Int)
    case outOfMemory
}
