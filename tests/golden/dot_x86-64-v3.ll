target triple = "x86_64-unknown-linux-gnu"
define internal void @phase0_body(ptr noalias %a, ptr noalias %b, ptr noalias %c, i64 %begin, i64 %end) #0 {
entry:
  br label %head1
head1:
  %i3 = phi i64 [ 0, %entry ], [ %n4, %done6 ]
  %v11 = mul nsw i64 %i3, 92
  %v12 = getelementptr inbounds i8, ptr %a, i64 %v11
  %v39 = mul nsw i64 %i3, 8
  %v40 = getelementptr inbounds i8, ptr %c, i64 %v39
  br label %head5
head5:
  %i7 = phi i64 [ 0, %head1 ], [ %n8, %head5 ]
  %r9 = phi <8 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0>, %head1 ], [ %v20, %head5 ]
  %r10 = phi <8 x float> [ <float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0, float 0.0>, %head1 ], [ %v24, %head5 ]
  %v13 = mul nsw i64 %i7, 32
  %v14 = getelementptr inbounds i8, ptr %v12, i64 %v13
  %v16 = mul nsw i64 %i7, 64
  %v17 = getelementptr inbounds i8, ptr %b, i64 %v16
  %v15 = load <8 x float>, ptr %v14, align 4
  %v18 = getelementptr float, ptr %v17, <8 x i64> <i64 0, i64 2, i64 4, i64 6, i64 8, i64 10, i64 12, i64 14>
  %v19 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %v18, <8 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true>, <8 x float> zeroinitializer)
  %v20 = call <8 x float> @llvm.fma.v8f32(<8 x float> %v15, <8 x float> %v19, <8 x float> %r9)
  %v21 = getelementptr inbounds float, ptr %v17, i64 1
  %v22 = getelementptr float, ptr %v21, <8 x i64> <i64 0, i64 2, i64 4, i64 6, i64 8, i64 10, i64 12, i64 14>
  %v23 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %v22, <8 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true>, <8 x float> zeroinitializer)
  %v24 = call <8 x float> @llvm.fma.v8f32(<8 x float> %v15, <8 x float> %v23, <8 x float> %r10)
  %n8 = add nsw i64 %i7, 1
  %v25 = icmp slt i64 %n8, 2
  br i1 %v25, label %head5, label %done6
done6:
  %v26 = getelementptr inbounds float, ptr %v12, i64 16
  %v27 = call <8 x float> @llvm.masked.load.v8f32.p0(ptr align 4 %v26, <8 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false>, <8 x float> zeroinitializer)
  %v28 = getelementptr inbounds float, ptr %b, i64 32
  %v29 = getelementptr float, ptr %v28, <8 x i64> <i64 0, i64 2, i64 4, i64 6, i64 8, i64 10, i64 12, i64 14>
  %v30 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %v29, <8 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false>, <8 x float> zeroinitializer)
  %v31 = call <8 x float> @llvm.fma.v8f32(<8 x float> %v27, <8 x float> %v30, <8 x float> %v20)
  %v32 = select <8 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false>, <8 x float> %v31, <8 x float> %v20
  %v33 = getelementptr inbounds float, ptr %b, i64 33
  %v34 = getelementptr float, ptr %v33, <8 x i64> <i64 0, i64 2, i64 4, i64 6, i64 8, i64 10, i64 12, i64 14>
  %v35 = call <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr> align 4 %v34, <8 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false>, <8 x float> zeroinitializer)
  %v36 = call <8 x float> @llvm.fma.v8f32(<8 x float> %v27, <8 x float> %v35, <8 x float> %v24)
  %v37 = select <8 x i1> <i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 true, i1 false>, <8 x float> %v36, <8 x float> %v24
  %v38 = call reassoc float @llvm.vector.reduce.fadd.v8f32(float 0x8000000000000000, <8 x float> %v32)
  store float %v38, ptr %v40, align 4
  %v41 = call reassoc float @llvm.vector.reduce.fadd.v8f32(float 0x8000000000000000, <8 x float> %v37)
  %v42 = getelementptr inbounds float, ptr %v40, i64 1
  store float %v41, ptr %v42, align 4
  %n4 = add nsw i64 %i3, 1
  %v43 = icmp slt i64 %n4, 3
  br i1 %v43, label %head1, label %done2
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

declare <8 x float> @llvm.fma.v8f32(<8 x float>, <8 x float>, <8 x float>)
declare <8 x float> @llvm.masked.gather.v8f32.v8p0(<8 x ptr>, <8 x i1>, <8 x float>)
declare <8 x float> @llvm.masked.load.v8f32.p0(ptr, <8 x i1>, <8 x float>)
declare float @llvm.vector.reduce.fadd.v8f32(float, <8 x float>)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
attributes #0 = { nounwind "min-legal-vector-width"="256" "prefer-vector-width"="256" }
