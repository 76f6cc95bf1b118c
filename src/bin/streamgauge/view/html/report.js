(()=>{'use strict';
const $=(q,e=document)=>e.querySelector(q),$$=(q,e=document)=>[...e.querySelectorAll(q)],N='http://www.w3.org/2000/svg',
bar=$('#bar'),num=t=>{const m=/[-−]?[\d.,]+(e[-+]?\d+)?/i.exec(t);return m?parseFloat(m[0].replace(/,/g,'').replace('−','-')):NaN},
fmt=n=>String(n).replace(/\B(?=(\d{3})+$)/g,','),
el=(n,a)=>{const e=document.createElementNS(N,n);for(const k in a)e.setAttribute(k,a[k]);return e};
const D=$$('.det').map(e=>{const rows=$$('.win tbody tr',e),d=$('script',e);
 return{e,rows,x:rows.map(r=>+r.dataset.x/100),cells:rows.map(r=>[...r.cells]),
 charts:$$('.chart',e).map(c=>({c,p:$('.plot',c),ro:$('.ro',c),all:$('.ro',c).cloneNode(true),col:+c.dataset.c,d:c.dataset.d.split(' ').map(Number),h:+c.dataset.h,cur:$('.cur',c),dot:$('.dot',c)})),
 tops:d?JSON.parse(d.textContent).map((t,i)=>{const b=$$('.tk tbody',e)[i];return{...t,b,st:[...b.children].map(r=>r.cloneNode(true))}}):[]}});
let sel=-1,cur;
const active=()=>cur=D.find(d=>getComputedStyle(d.e).display!='none');
const show=(d,i)=>{
 d.charts.forEach(c=>{const on=i>=0,td=on&&d.cells[i][c.col],v=on?num(td.textContent):NaN;
  c.cur.classList.toggle('off',!on);c.dot.classList.toggle('off',!(v==v));
  c.ro.replaceChildren(...(on?td:c.all).cloneNode(true).childNodes);
  if(on){c.cur.setAttribute('x1',d.x[i]+'%');c.cur.setAttribute('x2',d.x[i]+'%');
   if(v==v){c.dot.setAttribute('cx',d.x[i]+'%');const f=c.d[2]!=null&&$('#z1').checked?2:0,y=c.h*(1-(v-c.d[f])/(c.d[f+1]-c.d[f]));c.dot.setAttribute('cy',y);c.dot.classList.toggle('off',y>c.h+9)}}});
 $('#wv').textContent=i<0?$('#wv').dataset.all:d.cells[i][0].textContent};
const bars=(s,l,u,m)=>{const p=n=>100*n/m+'%';s.replaceChildren(el('rect',{class:'tr',width:'100%',height:10,y:2,rx:1}),el('rect',{class:'br',width:p(l),height:10,y:2,rx:1}));
 if(u>l)s.append(el('rect',{class:'iv',x:p(l),width:p(u-l),height:10,y:2}),el('line',{class:'tick',x1:p(u),x2:p(u),y1:0,y2:14}))};
const rank=(t,i)=>{const m=new Map,w=t.w[i-t.o]||[];for(let j=0;j<w.length;j+=t.q)m.set(w[j],j/t.q+1);return m};
const spark=(t,k)=>{let p='',gap=1,m=1;const n=t.w.length,v=t.w.slice(0,n-t.cut).map(w=>{for(let j=0;j<w.length;j+=t.q)if(w[j]==k){m=Math.max(m,w[j+1]);return w[j+1]}return-1}),
 s=Math.ceil(n/120);for(let i=0;i<v.length;i+=s){const y=Math.max(...v.slice(i,i+s));if(y<0){gap=1;continue}
 p+=(gap?'M':'L')+(i*140/n).toFixed(1)+' '+(20-18*y/m).toFixed(1)+(gap?'h0':'');gap=0}return p};
const tops=(d,i)=>d.tops.forEach(t=>{
 const y=$('.say',t.b.closest('section')),on=i>=0&&t.w[i-t.o];y.dataset.a??=y.textContent;y.textContent=on?'in the window from '+d.cells[i][0].textContent+($('.c',t.b)?'; rank: against the window before':''):y.dataset.a;
 if(i<0||!t.w[i-t.o]||!t.st[0])return t.b.replaceChildren(...t.st);
 const Q=t.q,w=t.w[i-t.o],before=i-t.o>0?rank(t,i-1):0,out=[];let m=1;for(let j=0;j<w.length;j+=Q)m=Math.max(m,w[j+(Q>2?3:1)]);
 for(let j=0;j<w.length;j+=Q){const r=(t.st[0]).cloneNode(true),[n,c,k,b,v,u,s]=[...'nckbvus'].map(x=>$('.'+x,r)),id=w[j],R=j/Q+1,q=before&&before.get(id),dd=q-R,lo=w[j+(Q>2?2:1)],up=w[j+(Q>2?3:1)];
  n.textContent=R;if(c){c.className='c '+(before?q?dd>0?'up':dd<0?'dn':'':'up':'');c.textContent=before?q?dd>0?'▲ '+dd:dd<0?'▼ '+-dd:'=':'new':''}
  const bd=document.createElement('bdi');bd.textContent=t.k[id];k.replaceChildren(bd);if(Q>2&&!w[j+4]){const g=document.createElement('i');g.textContent='not certain';k.append(g)}k.title=t.k[id];
  bars($('svg',b),lo,up,m);
  v.textContent=fmt(w[j+1]);u.textContent=up>lo?fmt(lo)+'–'+fmt(up):'';
  const p=s&&$('path',s);if(p)p.setAttribute('d',spark(t,id));out.push(r)}
 t.b.replaceChildren(...out)});
const go=i=>{const d=active();if(!d)return;sel=Math.max(-1,Math.min(i,d.rows.length-1));const r=$('#w');r.max=d.rows.length-1;r.value=sel<0?r.max:sel;
 r.setAttribute('aria-valuetext',sel<0?'all windows':d.cells[sel][0].textContent);$('#all').disabled=sel<0;
 $$('.on',d.e).forEach(e=>e.classList.remove('on'));if(sel>=0)d.rows[sel].classList.add('on');show(d,sel);tops(d,sel)};
if(bar&&D.length&&D[0].rows.length>1){bar.hidden=false;
 $('#w').addEventListener('input',e=>go(+e.target.value));$('#all').addEventListener('click',()=>go(-1));
 D.forEach(d=>{const at=(c,e)=>{const b=c.p.getBoundingClientRect(),x=100*(e.clientX-b.left)/b.width;let k=0;d.x.forEach((v,i)=>{if(Math.abs(v-x)<Math.abs(d.x[k]-x))k=i});return k};
  d.charts.forEach(c=>{c.p.addEventListener('pointermove',e=>show(d,at(c,e)));c.p.addEventListener('pointerleave',()=>show(d,sel));c.p.addEventListener('click',e=>go(at(c,e)))})});
 $$('[name=z]').forEach(r=>r.addEventListener('change',()=>show(active(),sel)));addEventListener('keydown',e=>{if(e.key=='Escape')go(-1)});
 addEventListener('hashchange',()=>{sel=-1;go(-1);const s=$('#gs');if(s&&cur)s.value=cur.e.id});go(-1)}
const gs=$('#gs');if(gs){gs.parentNode.hidden=false;active();if(cur)gs.value=cur.e.id;gs.addEventListener('change',()=>{const y=scrollY;location.hash=gs.value;scrollTo(0,y)})}
$$('table.sort').forEach(t=>$$('thead th',t).forEach((h,c)=>{const b=document.createElement('button');b.append(...h.childNodes);h.append(b);
 b.addEventListener('click',()=>{const dir=h.getAttribute('aria-sort')=='descending'?1:-1,B=t.tBodies[0];
  $$('th',t.tHead).forEach(o=>o.removeAttribute('aria-sort'));h.setAttribute('aria-sort',dir>0?'ascending':'descending');
  const key=r=>{const s=r.cells[c].textContent,n=num(s);return c&&n==n?n:s};
  B.append(...[...B.rows].map(r=>[key(r),r]).sort((a,b)=>(a[0]>b[0]?1:a[0]<b[0]?-1:0)*dir).map(a=>a[1]))})}));
})();
