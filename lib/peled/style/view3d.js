const c=document.getElementById('c'),k=document.getElementById('k'),o=document.getElementById('o'),g=c.getContext('2d'),n=D.s.length;
const [W,H]=D.v.slice(3);let z=D.v[2],R,S=[],drag=null;
const turn=(a,b)=>{const ca=Math.cos(a),sa=Math.sin(a),cb=Math.cos(b),sb=Math.sin(b);
 R=R.map(([x,y,w])=>[ca*x+sa*w,y,ca*w-sa*x]).map(([x,y,w])=>[x,cb*y-sb*w,sb*y+cb*w])};
const start=()=>{const t=D.v[0]*Math.PI/180,u=D.v[1]*Math.PI/180,ct=Math.cos(t),st=Math.sin(t),cu=Math.cos(u),su=Math.sin(u);
 R=[[cu,su*st,-su*ct],[-su,cu*st,-cu*ct],[0,ct,st]];z=D.v[2]};
const at=(x,y,w)=>[0,1,2].map(m=>(x*R[0][m]+y*R[1][m]+w*R[2][m])*z/100);
const mix=(h,f)=>'rgb('+[1,3,5].map(m=>{const v=parseInt(h.substr(m,2),16);return Math.round(f<0?v*(1+f):v+(255-v)*f)})+')';
function paint(){
 const r=devicePixelRatio||1;c.width=W*r;c.height=H*r;g.setTransform(r,0,0,r,0,0);g.fillStyle='#fff';g.fillRect(0,0,W,H);g.translate(W/2,H/2);
 const P=[],Q=[];let lo=1e9,hi=-1e9;
 for(let m=0;m<n;m++){const p=at(D.p[3*m],D.p[3*m+1],D.p[3*m+2]);P.push(p);lo=Math.min(lo,p[2]);hi=Math.max(hi,p[2]);Q.push([p[2]+.01,0,m])}
 const half=(m,v)=>Q.push([P[m][2]+v[2]*.8,1,m,v]);
 for(let m=0;m<D.h.length;m+=4)half(D.h[m],at(D.h[m+1],D.h[m+2],D.h[m+3]));
 for(let m=0;m<D.b.length;m+=2){const i=D.b[m],j=D.b[m+1],v=[0,1,2].map(a=>(P[j][a]-P[i][a])/2);half(i,v);half(j,v.map(a=>-a))}
 Q.sort((a,b)=>a[0]-b[0]);S=[];g.lineCap='butt';
 for(const q of Q){const p=P[q[2]],e=D.e[D.s[q[2]]],f=.55*(hi-p[2])/(hi-lo||1);
  if(q[1]){g.strokeStyle=mix(e[1],f);g.lineWidth=.26*z;g.beginPath();g.moveTo(p[0],-p[1]);g.lineTo(p[0]+q[3][0],-p[1]-q[3][1]);g.stroke()}
  else{const d=e[2]*z,s=g.createRadialGradient(p[0]-.3*d,-p[1]-.3*d,.1*d,p[0],-p[1],d);s.addColorStop(0,mix(e[1],f+(1-f)*.6));s.addColorStop(.5,mix(e[1],f));s.addColorStop(1,mix(mix2(e[1]),f));
   g.fillStyle=s;g.beginPath();g.arc(p[0],-p[1],d,0,7);g.fill();S.push([p[0],-p[1],d,q[2]])}}
 g.font='11px sans-serif';g.textAlign='center';g.textBaseline='middle';
 for(const q of D.c){const p=P[q[0]],v=at(q[1],q[2],q[3]),x=p[0]+v[0]/2+12,y=-p[1]-v[1]/2;g.strokeStyle=g.fillStyle=q[4];g.lineWidth=1.6;g.setLineDash([4,3]);g.beginPath();g.moveTo(p[0],-p[1]);g.lineTo(p[0]+v[0],-p[1]-v[1]);g.stroke();
  g.setLineDash([]);g.strokeStyle='#fff';g.lineWidth=3;g.strokeText(q[5],x,y);g.fillText(q[5],x,y)}}
const mix2=h=>'#'+[1,3,5].map(m=>('0'+Math.round(parseInt(h.substr(m,2),16)*.55).toString(16)).slice(-2)).join('');
const zoom=f=>{z=Math.min(Math.max(z*f,D.v[2]/4),D.v[2]*12);paint()};
c.onpointerdown=e=>{drag=[e.clientX,e.clientY];c.setPointerCapture(e.pointerId);c.style.cursor='grabbing'};
c.onpointerup=c.onpointercancel=()=>{drag=null;c.style.cursor='grab'};
c.onpointermove=e=>{if(drag){turn((e.clientX-drag[0])/120,(e.clientY-drag[1])/120);drag=[e.clientX,e.clientY];paint();return}
 const x=e.clientX-W/2,y=e.clientY-H/2;let h='drag turns; click, then wheel zooms';for(const s of S)if((x-s[0])**2+(y-s[1])**2<s[2]**2)h=D.e[D.s[s[3]]][0]+', atom '+(D.k?D.k[s[3]]:s[3])+' (from 0)';o.textContent=h};
c.addEventListener('wheel',e=>{if(document.activeElement===c||e.ctrlKey){e.preventDefault();zoom(Math.exp(-e.deltaY/600))}},{passive:false});
c.ondblclick=()=>{start();paint()};
c.onkeydown=e=>{const s={ArrowLeft:[-.15,0],ArrowRight:[.15,0],ArrowUp:[0,-.15],ArrowDown:[0,.15]}[e.key];
 if(s)turn(...s);else if(e.key=='+'||e.key=='=')zoom(1.15);else if(e.key=='-')zoom(1/1.15);else if(e.key=='Home')start();else return;e.preventDefault();paint()};
k.style.display='block';o.textContent='drag turns; click, then wheel zooms';c.style.width=W+'px';c.style.height=H+'px';start();paint();
