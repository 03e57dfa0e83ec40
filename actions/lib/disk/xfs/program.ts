/**
 * What the machine that changes an XFS file system runs as its only process: Perl without any module, since perl-base
 * is on every Debian, and its own functions do all that has to be done there but four programs. It reads `/job`, words
 * that end with a zero byte, and says on the second serial port what became of it.
 */
export const PROGRAM = String.raw`#!/bin/perl
$ENV{PATH} = '/bin';
$ENV{LC_ALL} = 'C';
# Strings that the kernel may write to must be variables: perlfunc, syscall.
sub kernel { my ($number, @arguments) = @_; return syscall($number, @arguments) != -1 }
sub attach { my ($from, $kind) = @_; return kernel(165, $from, @_ > 2 ? $_[2] : '/dev', $kind, 0, '') }
sub stop {
  print @_, "\n";
  close STDOUT;
  kernel(162);
  kernel(169, 0xfee1dead, 0x28121969, 0x1234567, ''); # RESTART, which ends QEMU
  sleep 60;
}
sub failed { stop('failed: ', @_) }

attach('dev', 'devtmpfs');
open STDOUT, '>', '/dev/ttyS1';
open STDERR, '>&', STDOUT;
$| = 1;
attach('proc', 'proc', '/proc');
attach('sys', 'sysfs', '/sys');
sub names { opendir D, $_[0]; return map { "$_[0]/$_" } sort grep { !/^\./ } readdir D }
for $module (names('/modules')) {
  open M, '<', $module;
  kernel(313, fileno M, '', 0) or $! == 17 or print "$module: $!\n"; # 17: it is there
  close M;
}

open J, '<', '/job';
{ local $/; @words = split /\0/, <J>, -1 }
close J;
$device = shift @words;
# The longest time is for slow computers: a few tenths of a second are usual.
for (1 .. 1200) { last if -b $device; select undef, undef, undef, 0.1 }
failed("$device did not appear") unless -b $device;

sub start { my $doing = shift; print "$doing\n"; return system(@_) == 0 }
sub mounted { attach($device, 'xfs', '/mnt') or failed("it cannot be mounted: $!") }
sub unmounted { my $at = '/mnt'; kernel(166, $at, 0) or failed("it cannot be unmounted: $!") }

# Free space goes: discarded, or where the kernel's driver cannot, filled with zeros, which QEMU makes holes of.
sub trimmed {
  return if start('trimming', 'fstrim', '/mnt');
  open Z, '>', '/mnt/.zeros';
  $zeros = "\0" x 1048576;
  1 while syswrite Z, $zeros;
  close Z;
  kernel(162);
  unlink '/mnt/.zeros' or failed("zeros: $!");
}

$time = 946684800; # 2000-01-01: nothing we write carries a clock
%contents = ();
sub parent { my $path = shift; $path =~ s{/[^/]*$}{}; return $path eq '' ? '/' : $path }
# What is new is labelled like its folder, as a kernel with SELinux does.
sub labelled {
  my ($path, $folder, $name, $label) = (shift, '', 'security.selinux', "\0" x 256);
  $folder = parent($path);
  my $length = syscall(191, $folder, $name, $label, 256);
  return if $length < 1;
  $label = substr $label, 0, $length;
  kernel(189, $path, $name, $label, $length, 0);
}
sub change {
  my ($kind, $path) = splice @mine, 0, 2;
  my $folder = parent($path);
  $touched{$folder} = 1;
  if ($kind eq 'remove') { unlink $path or return "$path: $!" }
  elsif ($kind eq 'rmdir') { rmdir $path or return "$path: $!" }
  elsif ($kind eq 'mkdir') { mkdir $path, 0755 or return "$path: $!"; labelled($path); $touched{$path} = 1 }
  elsif ($kind eq 'empty') { truncate $path, 0 or return "$path: $!"; utime $time, $time, $path }
  elsif ($kind eq 'link') { symlink shift(@mine), $path or return "$path: $!"; labelled($path) }
  elsif ($kind eq 'write') {
    my ($mode, $uid, $gid, $source) = splice @mine, 0, 4;
    my $new = !-f $path || -l $path;
    unlink $path if -l $path;
    open O, '>', $path or return "$path: $!"; # not W, which leads to the parent
    print O $contents{$source};
    close O or return "$path: $!";
    chown $uid, $gid, $path;
    chmod oct $mode, $path;
    labelled($path) if $new;
    utime $time, $time, $path;
  }
  return '';
}
# In the guest's root, so that its links lead where they lead in the guest.
sub changes {
  @mine = splice @words, 0, shift @words;
  for my $file (names('/files')) { open F, '<', $file; local $/; $contents{$file} = <F> // ''; close F }
  pipe R, W;
  my $child = fork;
  if ($child == 0) {
    close R;
    chroot '/mnt' and chdir '/';
    while (@mine) { my $wrong = change(); if ($wrong ne '') { print W $wrong; close W; exit 1 } }
    utime $time, $time, $_ for sort { length $b <=> length $a } keys %touched;
    exit 0;
  }
  close W;
  my $wrong = join '', <R>;
  waitpid $child, 0;
  failed($wrong ne '' ? $wrong : "changes: $?") if $?;
}

while (defined($step = shift @words) and $step ne '') {
  if ($step eq 'check') { start('checking', 'xfs_repair', '-n', $device) or failed('damaged') }
  elsif ($step eq 'mount') { mounted() }
  elsif ($step eq 'unmount') { unmounted() }
  elsif ($step eq 'change') { changes() }
  elsif ($step eq 'trim') { trimmed() }
  elsif ($step eq 'renew') { start('renewing', 'xfs_repair', '-L', $device) or failed('xfs_repair -L') }
  elsif ($step eq 'make') {
    my $count = shift @words;
    start('making', 'mkfs.xfs', splice(@words, 0, $count), $device) or failed('mkfs.xfs');
  }
  elsif ($step eq 'fill') {
    start('filling', 'tar', '-C', '/mnt', '--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf', '/dev/vdb')
      or failed('tar');
  }
  else { failed("no step is called $step") }
}
stop('done');
`
