// For the thread sanitizer, which does not see how Qt's event queue hands calls from one thread to another, since Qt is
// not compiled with it: what a thread did before it put a call into the queue happens before the call.

#include <QObject>

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

namespace {

/// The call that was asked for, in a frame that tells the sanitizer of both ends.
class SeenCall : public QtPrivate::QSlotObjectBase {
  public:
    explicit SeenCall(QtPrivate::QSlotObjectBase* call) : QSlotObjectBase(&SeenCall::run), call_(call) {
        __tsan_release(this);
    }

  private:
    static void run(int what, QSlotObjectBase* self, QObject* receiver, void** arguments, bool*) {
        auto* seen = static_cast<SeenCall*>(self);
        __tsan_acquire(seen);
        if (what == Call) {
            seen->call_->call(receiver, arguments);
            __tsan_release(seen); // it may be the other thread that lets go of it
        } else if (what == Destroy) {
            seen->call_->destroyIfLastRef();
            delete seen;
        }
    }
    QtPrivate::QSlotObjectBase* call_;
};

} // namespace

/// Takes the place of Qt's own for whatever is linked into this program, and hands on to it.
bool QMetaObject::invokeMethodImpl(QObject* object, QtPrivate::QSlotObjectBase* slot, Qt::ConnectionType type,
                                   void* result) {
    using Function = bool (*)(QObject*, QtPrivate::QSlotObjectBase*, Qt::ConnectionType, void*);
    static const auto own = reinterpret_cast<Function>(
        dlsym(RTLD_NEXT,
              "_ZN11QMetaObject16invokeMethodImplEP7QObjectPN9QtPrivate15QSlotObjectBaseEN2Qt14ConnectionTypeEPv"));
    return own(object, new SeenCall(slot), type, result);
}
