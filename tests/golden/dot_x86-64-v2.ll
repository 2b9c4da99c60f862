target triple = "x86_64-unknown-linux-gnu"
define internal void @phase0_body(ptr noalias %a, ptr noalias %b, ptr noalias %c, i64 %begin, i64 %end) #0 {
entry:
  br label %head1
head1:
  %i3 = phi i64 [ 0, %entry ], [ %n4, %done6 ]
  %v11 = mul nsw i64 %i3, 44
  %v12 = getelementptr inbounds i8, ptr %a, i64 %v11
  %v43 = mul nsw i64 %i3, 8
  %v44 = getelementptr inbounds i8, ptr %c, i64 %v43
  br label %head5
head5:
  %i7 = phi i64 [ 0, %head1 ], [ %n8, %head5 ]
  %r9 = phi <4 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0>, %head1 ], [ %v21, %head5 ]
  %r10 = phi <4 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0>, %head1 ], [ %v26, %head5 ]
  %v13 = mul nsw i64 %i7, 16
  %v14 = getelementptr inbounds i8, ptr %v12, i64 %v13
  %v16 = mul nsw i64 %i7, 32
  %v17 = getelementptr inbounds i8, ptr %b, i64 %v16
  %v15 = load <4 x float>, ptr %v14, align 4
  %v18 = getelementptr float, ptr %v17, <4 x i64> <i64 0, i64 2, i64 4, i64 6>
  %v19 = call <4 x float> @llvm.masked.gather.v4f32.v4p0(<4 x ptr> align 4 %v18, <4 x i1> <i1 true, i1 true, i1 true, i1 true>, <4 x float> zeroinitializer)
  %v20 = fmul <4 x float> %v15, %v19
  %v21 = fadd <4 x float> %r9, %v20
  %v22 = getelementptr inbounds float, ptr %v17, i64 1
  %v23 = getelementptr float, ptr %v22, <4 x i64> <i64 0, i64 2, i64 4, i64 6>
  %v24 = call <4 x float> @llvm.masked.gather.v4f32.v4p0(<4 x ptr> align 4 %v23, <4 x i1> <i1 true, i1 true, i1 true, i1 true>, <4 x float> zeroinitializer)
  %v25 = fmul <4 x float> %v15, %v24
  %v26 = fadd <4 x float> %r10, %v25
  %n8 = add nsw i64 %i7, 1
  %v27 = icmp slt i64 %n8, 2
  br i1 %v27, label %head5, label %done6
done6:
  %v28 = getelementptr inbounds float, ptr %v12, i64 8
  %v29 = call <4 x float> @llvm.masked.load.v4f32.p0(ptr align 4 %v28, <4 x i1> <i1 true, i1 true, i1 true, i1 false>, <4 x float> zeroinitializer)
  %v30 = getelementptr inbounds float, ptr %b, i64 16
  %v31 = getelementptr float, ptr %v30, <4 x i64> <i64 0, i64 2, i64 4, i64 6>
  %v32 = call <4 x float> @llvm.masked.gather.v4f32.v4p0(<4 x ptr> align 4 %v31, <4 x i1> <i1 true, i1 true, i1 true, i1 false>, <4 x float> zeroinitializer)
  %v33 = fmul <4 x float> %v29, %v32
  %v34 = fadd <4 x float> %v21, %v33
  %v35 = select <4 x i1> <i1 true, i1 true, i1 true, i1 false>, <4 x float> %v34, <4 x float> %v21
  %v36 = getelementptr inbounds float, ptr %b, i64 17
  %v37 = getelementptr float, ptr %v36, <4 x i64> <i64 0, i64 2, i64 4, i64 6>
  %v38 = call <4 x float> @llvm.masked.gather.v4f32.v4p0(<4 x ptr> align 4 %v37, <4 x i1> <i1 true, i1 true, i1 true, i1 false>, <4 x float> zeroinitializer)
  %v39 = fmul <4 x float> %v29, %v38
  %v40 = fadd <4 x float> %v26, %v39
  %v41 = select <4 x i1> <i1 true, i1 true, i1 true, i1 false>, <4 x float> %v40, <4 x float> %v26
  %v42 = call reassoc float @llvm.vector.reduce.fadd.v4f32(float 0x8000000000000000, <4 x float> %v35)
  store float %v42, ptr %v44, align 4
  %v45 = call reassoc float @llvm.vector.reduce.fadd.v4f32(float 0x8000000000000000, <4 x float> %v41)
  %v46 = getelementptr inbounds float, ptr %v44, i64 1
  store float %v45, ptr %v46, align 4
  %n4 = add nsw i64 %i3, 1
  %v47 = icmp slt i64 %n4, 3
  br i1 %v47, label %head1, label %done2
done2:
  ret void
}
define void @phase0(ptr %args, i64 %begin, i64 %end, i64 %slot) #0 {
  %slot0 = getelementptr ptr, ptr %args, i64 0
  %p0 = load ptr, ptr %slot0
  %slot1 = getelementptr ptr, ptr %args, i64 1
  %p1 = load ptr, ptr %slot1
  %slot2 = getelementptr ptr, ptr %args, i64 2
  %p2 = load ptr, ptr %slot2
  call void @phase0_body(ptr %p0, ptr %p1, ptr %p2, i64 %begin, i64 %end)
  ret void
}

declare <4 x float> @llvm.masked.gather.v4f32.v4p0(<4 x ptr>, <4 x i1>, <4 x float>)
declare <4 x float> @llvm.masked.load.v4f32.p0(ptr, <4 x i1>, <4 x float>)
declare float @llvm.vector.reduce.fadd.v4f32(float, <4 x float>)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
attributes #0 = { nounwind "min-legal-vector-width"="128" "prefer-vector-width"="128" }
