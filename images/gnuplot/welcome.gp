# What the desktop opens with; then gnuplot reads what is typed. What is set here stays set, for a plot is drawn anew when
# its window changes: so it is nothing that another plot would mind.
set terminal qt size 640,480 font 'DejaVu Sans,10' enhanced noraise
set samples 200
set isosamples 60
set pm3d depthorder
set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 '#fde725')
splot [-12:12] [-12:12] sin(sqrt(x**2 + y**2)) / sqrt(x**2 + y**2 + 1e-9) with pm3d title 'sin(r)/r'
# What it says of a first plot that took long is of no use to anyone.
pause 0.5
system "clear"
print "Type a command, for example:  plot sin(x)"
print "help shows what there is, exit ends."
print "In the plot, the mouse turns and its wheel zooms."
print ""
