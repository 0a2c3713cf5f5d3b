-- fft_codelets.lua: inner loops in straight lines: transforms of blocks of 16 and of 32 integers, in place, the first
-- stages of integer_fft.lua in one; and smoothing for fast_smoothing.lua. Written by
-- tools/generate/make_fft_codelets.py; do not edit.
local _ENV = nil -- from here a stray global is an error
local codelets = {}

-- Blocks of 16 numbers of re, im [1 .. n], in bit-reversed order, become their transforms.
-- Cost: each number is read and written once; sums in between. Creates no table.
function codelets.sixteen(re, im, n)
    for o = 1, n, 16 do
        local p,q,r,s,t,u,v,w local k0=o+0 local r0,i0=re[k0],im[k0] local k1=o+1 local r1,i1=re[k1],im[k1] local k2=o+2 local r2,i2=re[k2],im[k2] local k3=o+3 local r3,i3=re[k3],im[k3]
        local k4=o+4 local r4,i4=re[k4],im[k4] local k5=o+5 local r5,i5=re[k5],im[k5] local k6=o+6 local r6,i6=re[k6],im[k6] local k7=o+7 local r7,i7=re[k7],im[k7] local k8=o+8 local r8,i8=re[k8],im[k8]
        local k9=o+9 local r9,i9=re[k9],im[k9] local k10=o+10 local r10,i10=re[k10],im[k10] local k11=o+11 local r11,i11=re[k11],im[k11] local k12=o+12 local r12,i12=re[k12],im[k12]
        local k13=o+13 local r13,i13=re[k13],im[k13] local k14=o+14 local r14,i14=re[k14],im[k14] local k15=o+15 local r15,i15=re[k15],im[k15] p,q,r,s=r0+r1,i0+i1,r0-r1,i0-i1 t,u,v,w=r2+r3,i2+i3,r2-r3,i2-i3
        r0,i0,r2,i2=p+t,q+u,p-t,q-u r1,i1,r3,i3=r+w,s-v,r-w,s+v p,q,r,s=r4+r5,i4+i5,r4-r5,i4-i5 t,u,v,w=r6+r7,i6+i7,r6-r7,i6-i7 r4,i4,r6,i6=p+t,q+u,p-t,q-u r5,i5,r7,i7=r+w,s-v,r-w,s+v
        p,q,r,s=r8+r9,i8+i9,r8-r9,i8-i9 t,u,v,w=r10+r11,i10+i11,r10-r11,i10-i11 r8,i8,r10,i10=p+t,q+u,p-t,q-u r9,i9,r11,i11=r+w,s-v,r-w,s+v p,q,r,s=r12+r13,i12+i13,r12-r13,i12-i13
        t,u,v,w=r14+r15,i14+i15,r14-r15,i14-i15 r12,i12,r14,i14=p+t,q+u,p-t,q-u r13,i13,r15,i15=r+w,s-v,r-w,s+v p,q,r,s=r0+r4,i0+i4,r0-r4,i0-i4 t,u,v,w=r8+r12,i8+i12,r8-r12,i8-i12 r0,i0,r8,i8=p+t,q+u,p-t,q-u
        r4,i4,r12,i12=r+w,s-v,r-w,s+v r5,i5=(r5+i5)*1448//2048,(i5-r5)*1448//2048 r9,i9=(r9*1892+i9*784)//2048,(i9*1892-r9*784)//2048 r13,i13=(r13*784+i13*1892)//2048,(i13*784-r13*1892)//2048
        p,q,r,s=r1+r5,i1+i5,r1-r5,i1-i5 t,u,v,w=r9+r13,i9+i13,r9-r13,i9-i13 r1,i1,r9,i9=p+t,q+u,p-t,q-u r5,i5,r13,i13=r+w,s-v,r-w,s+v r6,i6=i6,-r6 r10,i10=(r10+i10)*1448//2048,(i10-r10)*1448//2048
        r14,i14=(i14-r14)*1448//2048,(-r14-i14)*1448//2048 p,q,r,s=r2+r6,i2+i6,r2-r6,i2-i6 t,u,v,w=r10+r14,i10+i14,r10-r14,i10-i14 r2,i2,r10,i10=p+t,q+u,p-t,q-u r6,i6,r14,i14=r+w,s-v,r-w,s+v
        r7,i7=(i7-r7)*1448//2048,(-r7-i7)*1448//2048 r11,i11=(r11*784+i11*1892)//2048,(i11*784-r11*1892)//2048 r15,i15=(-r15*1892-i15*784)//2048,(r15*784-i15*1892)//2048 p,q,r,s=r3+r7,i3+i7,r3-r7,i3-i7
        t,u,v,w=r11+r15,i11+i15,r11-r15,i11-i15 r3,i3,r11,i11=p+t,q+u,p-t,q-u r7,i7,r15,i15=r+w,s-v,r-w,s+v re[k0],im[k0]=r0,i0 re[k1],im[k1]=r1,i1 re[k2],im[k2]=r2,i2 re[k3],im[k3]=r3,i3 re[k4],im[k4]=r4,i4
        re[k5],im[k5]=r5,i5 re[k6],im[k6]=r6,i6 re[k7],im[k7]=r7,i7 re[k8],im[k8]=r8,i8 re[k9],im[k9]=r9,i9 re[k10],im[k10]=r10,i10 re[k11],im[k11]=r11,i11 re[k12],im[k12]=r12,i12 re[k13],im[k13]=r13,i13
        re[k14],im[k14]=r14,i14 re[k15],im[k15]=r15,i15
    end
end

-- Blocks of 32 numbers of re, im [1 .. n], in bit-reversed order, become their transforms.
-- Cost: each number is read and written once; sums in between. Creates no table.
function codelets.thirty_two(re, im, n)
    for o = 1, n, 32 do
        local p,q,r,s,t,u,v,w local k0=o+0 local r0,i0=re[k0],im[k0] local k1=o+1 local r1,i1=re[k1],im[k1] local k2=o+2 local r2,i2=re[k2],im[k2] local k3=o+3 local r3,i3=re[k3],im[k3]
        local k4=o+4 local r4,i4=re[k4],im[k4] local k5=o+5 local r5,i5=re[k5],im[k5] local k6=o+6 local r6,i6=re[k6],im[k6] local k7=o+7 local r7,i7=re[k7],im[k7] local k8=o+8 local r8,i8=re[k8],im[k8]
        local k9=o+9 local r9,i9=re[k9],im[k9] local k10=o+10 local r10,i10=re[k10],im[k10] local k11=o+11 local r11,i11=re[k11],im[k11] local k12=o+12 local r12,i12=re[k12],im[k12]
        local k13=o+13 local r13,i13=re[k13],im[k13] local k14=o+14 local r14,i14=re[k14],im[k14] local k15=o+15 local r15,i15=re[k15],im[k15] local k16=o+16 local r16,i16=re[k16],im[k16]
        local k17=o+17 local r17,i17=re[k17],im[k17] local k18=o+18 local r18,i18=re[k18],im[k18] local k19=o+19 local r19,i19=re[k19],im[k19] local k20=o+20 local r20,i20=re[k20],im[k20]
        local k21=o+21 local r21,i21=re[k21],im[k21] local k22=o+22 local r22,i22=re[k22],im[k22] local k23=o+23 local r23,i23=re[k23],im[k23] local k24=o+24 local r24,i24=re[k24],im[k24]
        local k25=o+25 local r25,i25=re[k25],im[k25] local k26=o+26 local r26,i26=re[k26],im[k26] local k27=o+27 local r27,i27=re[k27],im[k27] local k28=o+28 local r28,i28=re[k28],im[k28]
        local k29=o+29 local r29,i29=re[k29],im[k29] local k30=o+30 local r30,i30=re[k30],im[k30] local k31=o+31 local r31,i31=re[k31],im[k31] p,q,r,s=r0+r1,i0+i1,r0-r1,i0-i1 t,u,v,w=r2+r3,i2+i3,r2-r3,i2-i3
        r0,i0,r2,i2=p+t,q+u,p-t,q-u r1,i1,r3,i3=r+w,s-v,r-w,s+v p,q,r,s=r4+r5,i4+i5,r4-r5,i4-i5 t,u,v,w=r6+r7,i6+i7,r6-r7,i6-i7 r4,i4,r6,i6=p+t,q+u,p-t,q-u r5,i5,r7,i7=r+w,s-v,r-w,s+v
        p,q,r,s=r8+r9,i8+i9,r8-r9,i8-i9 t,u,v,w=r10+r11,i10+i11,r10-r11,i10-i11 r8,i8,r10,i10=p+t,q+u,p-t,q-u r9,i9,r11,i11=r+w,s-v,r-w,s+v p,q,r,s=r12+r13,i12+i13,r12-r13,i12-i13
        t,u,v,w=r14+r15,i14+i15,r14-r15,i14-i15 r12,i12,r14,i14=p+t,q+u,p-t,q-u r13,i13,r15,i15=r+w,s-v,r-w,s+v p,q,r,s=r16+r17,i16+i17,r16-r17,i16-i17 t,u,v,w=r18+r19,i18+i19,r18-r19,i18-i19
        r16,i16,r18,i18=p+t,q+u,p-t,q-u r17,i17,r19,i19=r+w,s-v,r-w,s+v p,q,r,s=r20+r21,i20+i21,r20-r21,i20-i21 t,u,v,w=r22+r23,i22+i23,r22-r23,i22-i23 r20,i20,r22,i22=p+t,q+u,p-t,q-u
        r21,i21,r23,i23=r+w,s-v,r-w,s+v p,q,r,s=r24+r25,i24+i25,r24-r25,i24-i25 t,u,v,w=r26+r27,i26+i27,r26-r27,i26-i27 r24,i24,r26,i26=p+t,q+u,p-t,q-u r25,i25,r27,i27=r+w,s-v,r-w,s+v
        p,q,r,s=r28+r29,i28+i29,r28-r29,i28-i29 t,u,v,w=r30+r31,i30+i31,r30-r31,i30-i31 r28,i28,r30,i30=p+t,q+u,p-t,q-u r29,i29,r31,i31=r+w,s-v,r-w,s+v r5,i5=(r5+i5)*1448//2048,(i5-r5)*1448//2048 r6,i6=i6,-r6
        r7,i7=(i7-r7)*1448//2048,(-r7-i7)*1448//2048 r0,i0,r4,i4=r0+r4,i0+i4,r0-r4,i0-i4 r1,i1,r5,i5=r1+r5,i1+i5,r1-r5,i1-i5 r2,i2,r6,i6=r2+r6,i2+i6,r2-r6,i2-i6 r3,i3,r7,i7=r3+r7,i3+i7,r3-r7,i3-i7
        r13,i13=(r13+i13)*1448//2048,(i13-r13)*1448//2048 r14,i14=i14,-r14 r15,i15=(i15-r15)*1448//2048,(-r15-i15)*1448//2048 r8,i8,r12,i12=r8+r12,i8+i12,r8-r12,i8-i12
        r9,i9,r13,i13=r9+r13,i9+i13,r9-r13,i9-i13 r10,i10,r14,i14=r10+r14,i10+i14,r10-r14,i10-i14 r11,i11,r15,i15=r11+r15,i11+i15,r11-r15,i11-i15 r21,i21=(r21+i21)*1448//2048,(i21-r21)*1448//2048
        r22,i22=i22,-r22 r23,i23=(i23-r23)*1448//2048,(-r23-i23)*1448//2048 r16,i16,r20,i20=r16+r20,i16+i20,r16-r20,i16-i20 r17,i17,r21,i21=r17+r21,i17+i21,r17-r21,i17-i21
        r18,i18,r22,i22=r18+r22,i18+i22,r18-r22,i18-i22 r19,i19,r23,i23=r19+r23,i19+i23,r19-r23,i19-i23 r29,i29=(r29+i29)*1448//2048,(i29-r29)*1448//2048 r30,i30=i30,-r30
        r31,i31=(i31-r31)*1448//2048,(-r31-i31)*1448//2048 r24,i24,r28,i28=r24+r28,i24+i28,r24-r28,i24-i28 r25,i25,r29,i29=r25+r29,i25+i29,r25-r29,i25-i29 r26,i26,r30,i30=r26+r30,i26+i30,r26-r30,i26-i30
        r27,i27,r31,i31=r27+r31,i27+i31,r27-r31,i27-i31 p,q,r,s=r0+r8,i0+i8,r0-r8,i0-i8 t,u,v,w=r16+r24,i16+i24,r16-r24,i16-i24 r0,i0,r16,i16=p+t,q+u,p-t,q-u r8,i8,r24,i24=r+w,s-v,r-w,s+v
        r9,i9=(r9*1892+i9*784)//2048,(i9*1892-r9*784)//2048 r17,i17=(r17*2009+i17*400)//2048,(i17*2009-r17*400)//2048 r25,i25=(r25*1703+i25*1138)//2048,(i25*1703-r25*1138)//2048
        p,q,r,s=r1+r9,i1+i9,r1-r9,i1-i9 t,u,v,w=r17+r25,i17+i25,r17-r25,i17-i25 r1,i1,r17,i17=p+t,q+u,p-t,q-u r9,i9,r25,i25=r+w,s-v,r-w,s+v r10,i10=(r10+i10)*1448//2048,(i10-r10)*1448//2048
        r18,i18=(r18*1892+i18*784)//2048,(i18*1892-r18*784)//2048 r26,i26=(r26*784+i26*1892)//2048,(i26*784-r26*1892)//2048 p,q,r,s=r2+r10,i2+i10,r2-r10,i2-i10 t,u,v,w=r18+r26,i18+i26,r18-r26,i18-i26
        r2,i2,r18,i18=p+t,q+u,p-t,q-u r10,i10,r26,i26=r+w,s-v,r-w,s+v r11,i11=(r11*784+i11*1892)//2048,(i11*784-r11*1892)//2048 r19,i19=(r19*1703+i19*1138)//2048,(i19*1703-r19*1138)//2048
        r27,i27=(i27*2009-r27*400)//2048,(-i27*400-r27*2009)//2048 p,q,r,s=r3+r11,i3+i11,r3-r11,i3-i11 t,u,v,w=r19+r27,i19+i27,r19-r27,i19-i27 r3,i3,r19,i19=p+t,q+u,p-t,q-u r11,i11,r27,i27=r+w,s-v,r-w,s+v
        r12,i12=i12,-r12 r20,i20=(r20+i20)*1448//2048,(i20-r20)*1448//2048 r28,i28=(i28-r28)*1448//2048,(-r28-i28)*1448//2048 p,q,r,s=r4+r12,i4+i12,r4-r12,i4-i12 t,u,v,w=r20+r28,i20+i28,r20-r28,i20-i28
        r4,i4,r20,i20=p+t,q+u,p-t,q-u r12,i12,r28,i28=r+w,s-v,r-w,s+v r13,i13=(i13*1892-r13*784)//2048,(-i13*784-r13*1892)//2048 r21,i21=(r21*1138+i21*1703)//2048,(i21*1138-r21*1703)//2048
        r29,i29=(i29*400-r29*2009)//2048,(-i29*2009-r29*400)//2048 p,q,r,s=r5+r13,i5+i13,r5-r13,i5-i13 t,u,v,w=r21+r29,i21+i29,r21-r29,i21-i29 r5,i5,r21,i21=p+t,q+u,p-t,q-u r13,i13,r29,i29=r+w,s-v,r-w,s+v
        r14,i14=(i14-r14)*1448//2048,(-r14-i14)*1448//2048 r22,i22=(r22*784+i22*1892)//2048,(i22*784-r22*1892)//2048 r30,i30=(-r30*1892-i30*784)//2048,(r30*784-i30*1892)//2048
        p,q,r,s=r6+r14,i6+i14,r6-r14,i6-i14 t,u,v,w=r22+r30,i22+i30,r22-r30,i22-i30 r6,i6,r22,i22=p+t,q+u,p-t,q-u r14,i14,r30,i30=r+w,s-v,r-w,s+v r15,i15=(i15*784-r15*1892)//2048,(-i15*1892-r15*784)//2048
        r23,i23=(r23*400+i23*2009)//2048,(i23*400-r23*2009)//2048 r31,i31=(-r31*1138-i31*1703)//2048,(r31*1703-i31*1138)//2048 p,q,r,s=r7+r15,i7+i15,r7-r15,i7-i15 t,u,v,w=r23+r31,i23+i31,r23-r31,i23-i31
        r7,i7,r23,i23=p+t,q+u,p-t,q-u r15,i15,r31,i31=r+w,s-v,r-w,s+v re[k0],im[k0]=r0,i0 re[k1],im[k1]=r1,i1 re[k2],im[k2]=r2,i2 re[k3],im[k3]=r3,i3 re[k4],im[k4]=r4,i4 re[k5],im[k5]=r5,i5
        re[k6],im[k6]=r6,i6 re[k7],im[k7]=r7,i7 re[k8],im[k8]=r8,i8 re[k9],im[k9]=r9,i9 re[k10],im[k10]=r10,i10 re[k11],im[k11]=r11,i11 re[k12],im[k12]=r12,i12 re[k13],im[k13]=r13,i13 re[k14],im[k14]=r14,i14
        re[k15],im[k15]=r15,i15 re[k16],im[k16]=r16,i16 re[k17],im[k17]=r17,i17 re[k18],im[k18]=r18,i18 re[k19],im[k19]=r19,i19 re[k20],im[k20]=r20,i20 re[k21],im[k21]=r21,i21 re[k22],im[k22]=r22,i22
        re[k23],im[k23]=r23,i23 re[k24],im[k24]=r24,i24 re[k25],im[k25]=r25,i25 re[k26],im[k26]=r26,i26 re[k27],im[k27]=r27,i27 re[k28],im[k28]=r28,i28 re[k29],im[k29]=r29,i29 re[k30],im[k30]=r30,i30
        re[k31],im[k31]=r31,i31
    end
end

-- smooth[reach]: outputs from, from + stride, .. last of four arrays: sums of p1 .. p4 around points c, c + step, ..,
-- with weights kernel[1] at distance 0 to kernel[reach + 1], divided by d1 .. d4.
codelets.smooth = {}

codelets.smooth[2] = function(p1, p2, p3, p4, kernel, o1, o2, o3, o4, d1, d2, d3, d4, from, last, stride, c, step)
    local w0,w1,w2=kernel[1],kernel[2],kernel[3]
    for o = from, last, stride do
        local l1,h1,l2,h2=c-1,c+1,c-2,c+2 o1[o]=(p1[c]*w0+(p1[l1]+p1[h1])*w1+(p1[l2]+p1[h2])*w2)//d1 o2[o]=(p2[c]*w0+(p2[l1]+p2[h1])*w1+(p2[l2]+p2[h2])*w2)//d2
        o3[o]=(p3[c]*w0+(p3[l1]+p3[h1])*w1+(p3[l2]+p3[h2])*w2)//d3 o4[o]=(p4[c]*w0+(p4[l1]+p4[h1])*w1+(p4[l2]+p4[h2])*w2)//d4 c=c+step
    end
end

codelets.smooth[3] = function(p1, p2, p3, p4, kernel, o1, o2, o3, o4, d1, d2, d3, d4, from, last, stride, c, step)
    local w0,w1,w2,w3=kernel[1],kernel[2],kernel[3],kernel[4]
    for o = from, last, stride do
        local l1,h1,l2,h2,l3,h3=c-1,c+1,c-2,c+2,c-3,c+3 o1[o]=(p1[c]*w0+(p1[l1]+p1[h1])*w1+(p1[l2]+p1[h2])*w2+(p1[l3]+p1[h3])*w3)//d1
        o2[o]=(p2[c]*w0+(p2[l1]+p2[h1])*w1+(p2[l2]+p2[h2])*w2+(p2[l3]+p2[h3])*w3)//d2 o3[o]=(p3[c]*w0+(p3[l1]+p3[h1])*w1+(p3[l2]+p3[h2])*w2+(p3[l3]+p3[h3])*w3)//d3
        o4[o]=(p4[c]*w0+(p4[l1]+p4[h1])*w1+(p4[l2]+p4[h2])*w2+(p4[l3]+p4[h3])*w3)//d4 c=c+step
    end
end

codelets.smooth[4] = function(p1, p2, p3, p4, kernel, o1, o2, o3, o4, d1, d2, d3, d4, from, last, stride, c, step)
    local w0,w1,w2,w3,w4=kernel[1],kernel[2],kernel[3],kernel[4],kernel[5]
    for o = from, last, stride do
        local l1,h1,l2,h2,l3,h3,l4,h4=c-1,c+1,c-2,c+2,c-3,c+3,c-4,c+4 o1[o]=(p1[c]*w0+(p1[l1]+p1[h1])*w1+(p1[l2]+p1[h2])*w2+(p1[l3]+p1[h3])*w3+(p1[l4]+p1[h4])*w4)//d1
        o2[o]=(p2[c]*w0+(p2[l1]+p2[h1])*w1+(p2[l2]+p2[h2])*w2+(p2[l3]+p2[h3])*w3+(p2[l4]+p2[h4])*w4)//d2 o3[o]=(p3[c]*w0+(p3[l1]+p3[h1])*w1+(p3[l2]+p3[h2])*w2+(p3[l3]+p3[h3])*w3+(p3[l4]+p3[h4])*w4)//d3
        o4[o]=(p4[c]*w0+(p4[l1]+p4[h1])*w1+(p4[l2]+p4[h2])*w2+(p4[l3]+p4[h3])*w3+(p4[l4]+p4[h4])*w4)//d4 c=c+step
    end
end

codelets.smooth[5] = function(p1, p2, p3, p4, kernel, o1, o2, o3, o4, d1, d2, d3, d4, from, last, stride, c, step)
    local w0,w1,w2,w3,w4,w5=kernel[1],kernel[2],kernel[3],kernel[4],kernel[5],kernel[6]
    for o = from, last, stride do
        local l1,h1,l2,h2,l3,h3,l4,h4,l5,h5=c-1,c+1,c-2,c+2,c-3,c+3,c-4,c+4,c-5,c+5 o1[o]=(p1[c]*w0+(p1[l1]+p1[h1])*w1+(p1[l2]+p1[h2])*w2+(p1[l3]+p1[h3])*w3+(p1[l4]+p1[h4])*w4+(p1[l5]+p1[h5])*w5)//d1
        o2[o]=(p2[c]*w0+(p2[l1]+p2[h1])*w1+(p2[l2]+p2[h2])*w2+(p2[l3]+p2[h3])*w3+(p2[l4]+p2[h4])*w4+(p2[l5]+p2[h5])*w5)//d2
        o3[o]=(p3[c]*w0+(p3[l1]+p3[h1])*w1+(p3[l2]+p3[h2])*w2+(p3[l3]+p3[h3])*w3+(p3[l4]+p3[h4])*w4+(p3[l5]+p3[h5])*w5)//d3
        o4[o]=(p4[c]*w0+(p4[l1]+p4[h1])*w1+(p4[l2]+p4[h2])*w2+(p4[l3]+p4[h3])*w3+(p4[l4]+p4[h4])*w4+(p4[l5]+p4[h5])*w5)//d4 c=c+step
    end
end

return codelets
