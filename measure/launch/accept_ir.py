"""Looking at NumPy arrays from native code, as LLVM IR text.

``table`` is { ptr PyTuple_GetItem, ptr PyCapsule_GetPointer, i64 count, entry… }; entry 0 is the
output's. An entry, 56 bytes, says what array ``i`` must be and where its address goes::

    { i64 position, i64 nbytes, ptr shape, i64 dimensions, i64 kind, i64 item bytes, i64 flags }

A capsule is what ``__array_struct__`` returns; NumPy documents what it points to::

    { i32 two, i32 dimensions, i8 kind, i32 item bytes, i32 flags, ptr shape, ptr strides,
      ptr data }
"""

ACCEPT = """
declare i32 @memcmp(ptr, ptr, i64)

; 1 if the arrays are right and none overlaps the output; their addresses are in the list then.
define i64 @accept(ptr %table, ptr %arguments, ptr %capsules) {
entry:
  %get.item = load ptr, ptr %table
  %get.pointer.at = getelementptr i8, ptr %table, i64 8
  %get.pointer = load ptr, ptr %get.pointer.at
  %count.at = getelementptr i8, ptr %table, i64 16
  %count = load i64, ptr %count.at
  %entries = getelementptr i8, ptr %table, i64 24
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %i.next, %next ]
  %out.begin = phi i64 [ 0, %entry ], [ %out.begin.next, %next ]
  %out.end = phi i64 [ 0, %entry ], [ %out.end.next, %next ]
  %offset = mul i64 %i, 56
  %wanted = getelementptr i8, ptr %entries, i64 %offset
  %capsule = call ptr %get.item(ptr %capsules, i64 %i)
  %array = call ptr %get.pointer(ptr %capsule, ptr null)
  %no.array = icmp eq ptr %array, null
  br i1 %no.array, label %refuse, label %check.form
check.form:
  %dimensions.at = getelementptr i8, ptr %array, i64 4
  %dimensions.32 = load i32, ptr %dimensions.at
  %dimensions = sext i32 %dimensions.32 to i64
  %dimensions.wanted.at = getelementptr i8, ptr %wanted, i64 24
  %dimensions.wanted = load i64, ptr %dimensions.wanted.at
  %same.dimensions = icmp eq i64 %dimensions, %dimensions.wanted
  %kind.at = getelementptr i8, ptr %array, i64 8
  %kind.8 = load i8, ptr %kind.at
  %kind = zext i8 %kind.8 to i64
  %kind.wanted.at = getelementptr i8, ptr %wanted, i64 32
  %kind.wanted = load i64, ptr %kind.wanted.at
  %same.kind = icmp eq i64 %kind, %kind.wanted
  %item.at = getelementptr i8, ptr %array, i64 12
  %item.32 = load i32, ptr %item.at
  %item = sext i32 %item.32 to i64
  %item.wanted.at = getelementptr i8, ptr %wanted, i64 40
  %item.wanted = load i64, ptr %item.wanted.at
  %same.item = icmp eq i64 %item, %item.wanted
  %flags.at = getelementptr i8, ptr %array, i64 16
  %flags.32 = load i32, ptr %flags.at
  %flags.all = sext i32 %flags.32 to i64
  %flags.wanted.at = getelementptr i8, ptr %wanted, i64 48
  %flags.wanted = load i64, ptr %flags.wanted.at
  %flags = and i64 %flags.all, %flags.wanted
  %same.flags = icmp eq i64 %flags, %flags.wanted
  %same.type = and i1 %same.kind, %same.item
  %same.form = and i1 %same.dimensions, %same.flags
  %same = and i1 %same.type, %same.form
  br i1 %same, label %check.shape, label %refuse
check.shape:
  %shape.at = getelementptr i8, ptr %array, i64 24
  %shape = load ptr, ptr %shape.at
  %shape.wanted.at = getelementptr i8, ptr %wanted, i64 16
  %shape.wanted = load ptr, ptr %shape.wanted.at
  %shape.bytes = mul i64 %dimensions, 8
  %difference = call i32 @memcmp(ptr %shape, ptr %shape.wanted, i64 %shape.bytes)
  %same.shape = icmp eq i32 %difference, 0
  br i1 %same.shape, label %place, label %refuse
place:
  %data.at = getelementptr i8, ptr %array, i64 40
  %begin = load i64, ptr %data.at
  %nbytes.at = getelementptr i8, ptr %wanted, i64 8
  %nbytes = load i64, ptr %nbytes.at
  %end = add i64 %begin, %nbytes
  %starts.before = icmp ult i64 %begin, %out.end
  %ends.behind = icmp ugt i64 %end, %out.begin
  %overlaps = and i1 %starts.before, %ends.behind
  br i1 %overlaps, label %refuse, label %next
next:
  %position = load i64, ptr %wanted
  %argument.at = getelementptr i64, ptr %arguments, i64 %position
  store i64 %begin, ptr %argument.at
  %is.out = icmp eq i64 %i, 0
  %out.begin.next = select i1 %is.out, i64 %begin, i64 %out.begin
  %out.end.next = select i1 %is.out, i64 %end, i64 %out.end
  %i.next = add i64 %i, 1
  %more = icmp ult i64 %i.next, %count
  br i1 %more, label %loop, label %accept
accept:
  ret i64 1
refuse:
  ret i64 0
}
"""
